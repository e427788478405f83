# Stands in for the official image: the same variables (KAFKA_A_B is a.b), paths and user.
FROM debian:12-slim
RUN mkdir -p /usr/share/man/man1 /usr/share/man/man7 && apt-get -q -q update && apt-get -q -q install -y --no-install-recommends openjdk-17-jre-headless >/dev/null
COPY kafka /opt/kafka/libs
COPY kafka-run.sh /opt/kafka/run.sh
COPY kafka-versions.sh /opt/kafka/bin/kafka-broker-api-versions.sh
RUN chmod 755 /opt/kafka/run.sh /opt/kafka/bin/*.sh && useradd -u 1000 appuser && mkdir -p /var/lib/kafka/data && chown -R appuser /var/lib/kafka /opt/kafka
USER appuser
VOLUME /var/lib/kafka/data
CMD ["/opt/kafka/run.sh"]
