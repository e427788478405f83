# Stands in for the official image: POSTGRES_USER, _DB, _PASSWORD_FILE and /docker-entrypoint-initdb.d.
FROM debian:12-slim
RUN mkdir -p /usr/share/man/man1 /usr/share/man/man7 && apt-get -q -q update && apt-get -q -q install -y --no-install-recommends postgresql-15 >/dev/null
COPY postgres-run.sh /run.sh
RUN chmod 755 /run.sh && mkdir -p /var/lib/postgresql/data && chown postgres /var/lib/postgresql/data
USER postgres
VOLUME /var/lib/postgresql/data
CMD ["/run.sh"]
