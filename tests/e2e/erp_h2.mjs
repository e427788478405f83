// An ERP that speaks HTTP/2 over TLS only, wants a client certificate and a bearer token (OAuth 2.0 client credentials), and names its documents in Location.
// Usage: node erp_h2.mjs KEY CERTIFICATE CA. Prints its port; for each line on its standard input what it has seen, as JSON.
import { createSecureServer } from "node:http2";
import { readFileSync } from "node:fs";

const [key, cert, ca] = process.argv.slice(2).map((f) => readFileSync(f));
const seen = { tokens: 0, loads: 0, sessions: 0, refused: 0, versions: {}, clients: {}, traced: 0, most: 0 };
const documents = new Map();
let token = "", tokenUses = 0, flying = 0;

function load(stream, headers) {
  if (headers.authorization !== `Bearer ${token}` || ++tokenUses > 50) { // a token that ends before its time
    seen.refused++;
    stream.respond({ ":status": 401 });
    return stream.end();
  }
  const k = headers["idempotency-key"].split("/").slice(0, 3).join("/");
  if (!documents.has(k)) documents.set(k, `ZK/${documents.size + 1}`);
  seen.loads++;
  seen.traced += headers.traceparent ? 1 : 0;
  stream.respond({ ":status": 201, location: `/orders/${encodeURIComponent(documents.get(k))}` });
  stream.end();
}

const server = createSecureServer({ key, cert, ca, requestCert: true, rejectUnauthorized: true, allowHTTP1: false });
server.on("session", () => seen.sessions++);
server.on("stream", (stream, headers) => {
  seen.most = Math.max(seen.most, ++flying);
  stream.on("close", () => flying--);
  stream.on("error", () => {});
  let body = "";
  stream.on("data", (d) => { body += d; });
  stream.on("end", () => {
    const who = stream.session.socket.getPeerCertificate().subject.CN;
    seen.clients[who] = (seen.clients[who] || 0) + 1;
    seen.versions[stream.session.alpnProtocol] = (seen.versions[stream.session.alpnProtocol] || 0) + 1;
    if (headers[":path"] === "/token") {
      const basic = "Basic " + Buffer.from("bridge:simulated-client-secret").toString("base64");
      const ok = headers.authorization === basic && body.includes("grant_type=client_credentials");
      if (ok) { token = `t${++seen.tokens}`; tokenUses = 0; }
      stream.respond({ ":status": ok ? 200 : 401, "content-type": "application/json" });
      stream.end(ok ? JSON.stringify({ access_token: token, token_type: "Bearer", expires_in: 3600 }) : "{}");
    } else setTimeout(() => load(stream, headers), 20);
  });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.on("data", () => console.log(JSON.stringify(seen)));
