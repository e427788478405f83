"""Chromium over its debugging pipe (NUL-separated JSON on descriptors 3 and 4): a page as wide as a phone, which no window can be, and what of it does not fit."""
import base64
import fcntl
import json
import os
import select
import subprocess
import time

from harness import services

OVERFLOWS = """(() => {
    const wide = [], most = document.documentElement.clientWidth;
    for (const e of document.body.querySelectorAll('*')) {
        const r = e.getBoundingClientRect();
        if (r.width > 0 && (r.right > most + 0.5 || r.left < -0.5) && !e.closest('.scroll'))
            wide.push(e.tagName + '.' + e.className + ' ' + Math.round(r.left) + '..' + Math.round(r.right) + ' ' + e.textContent.slice(0, 60));
        else if (e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0 && getComputedStyle(e).overflowX === 'visible' && getComputedStyle(e).display !== 'inline' && !e.closest('.scroll'))
            wide.push('in ' + e.tagName + '.' + e.className + ' ' + e.scrollWidth + '>' + e.clientWidth + ' ' + e.textContent.slice(0, 60));
    }
    return JSON.stringify({width: innerWidth, document: document.documentElement.scrollWidth, wide: wide,
        scrolled: [...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth).map(e => e.textContent.slice(0, 40))});
})()"""


class Chromium:
    def __init__(self, command):
        theirs, ours = os.pipe()
        self.answers, said = os.pipe()
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in (theirs, said)]

        def prepare():
            services.die_with_parent()
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self.process = subprocess.Popen([*command, "--remote-debugging-pipe"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=(3, 4),
                                        preexec_fn=prepare)
        for fd in (theirs, said, *high):
            os.close(fd)
        self.pipe, self.number, self.rest, self.session = ours, 0, b"", None

    def say(self, method, seconds=60, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters, **({"sessionId": self.session} if self.session else {})}
        os.write(self.pipe, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + seconds
        while True:
            while b"\0" not in self.rest:
                if not select.select([self.answers], [], [], max(0, end - time.monotonic()))[0]:
                    raise TimeoutError(f"{method}: no answer of the browser")
                self.rest += os.read(self.answers, 1 << 16) or b'{"id": -1}\0'
            one, _, self.rest = self.rest.partition(b"\0")
            found = json.loads(one)
            if found.get("id") == self.number:
                if "error" in found:
                    raise RuntimeError(f"{method}: {found['error']}")
                return found["result"]
            if found.get("id") == -1 or time.monotonic() > end:
                raise RuntimeError(f"{method}: the browser is gone")

    def open(self, width, height):
        target = self.say("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.say("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.say("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=True)
        self.say("Page.enable")

    def evaluate(self, expression):
        return self.say("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def go(self, url, words):
        """Until the page is there and holds the words."""
        self.say("Page.navigate", url=url)
        end = time.monotonic() + 60
        while not self.evaluate(f"document.readyState === 'complete' && location.href !== 'about:blank' && document.body.textContent.includes({json.dumps(words)})"):
            if time.monotonic() > end:
                raise TimeoutError(f"{url} does not show {words!r}: {self.evaluate('document.body.textContent')}")
            time.sleep(0.2)

    def overflows(self):
        return json.loads(self.evaluate(OVERFLOWS))

    def picture(self, path):
        data = self.say("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        with open(path, "wb") as f:
            f.write(base64.b64decode(data))

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.pipe)
        os.close(self.answers)
