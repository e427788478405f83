FROM debian:12-slim
RUN mkdir -p /usr/share/man/man1 /usr/share/man/man7 && apt-get -q -q update && apt-get -q -q install -y --no-install-recommends prometheus wget >/dev/null && mkdir -p /prometheus && chown nobody /prometheus
USER nobody
VOLUME /prometheus
CMD ["prometheus", "--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]
