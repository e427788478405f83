FROM debian:12-slim
RUN mkdir -p /usr/share/man/man1 /usr/share/man/man7 && apt-get -q -q update && apt-get -q -q install -y --no-install-recommends openjdk-17-jre-headless >/dev/null
COPY apicurio /deployments
RUN useradd -u 1001 apicurio
USER apicurio
CMD ["sh", "-c", "exec java -Xmx400m -XX:+UseSerialGC -Dquarkus.http.host=0.0.0.0 -jar /deployments/*-runner.jar"]
