# Two images: `docker build -t xsale-bridge .` has the four programs, one container each, configured by BRIDGE_* variables or a mounted file; `--target simulators`
# has xSale and an ERP for the demonstration.
FROM debian:12-slim AS build
WORKDIR /src
COPY tests/packages tests/packages
RUN tests/packages --install build
COPY . .
RUN cmake -S . -B /build -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DBUILD_TESTING=OFF && cmake --build /build && DESTDIR=/image cmake --install /build --prefix /usr --strip

FROM debian:12-slim AS simulators
RUN apt-get -q -q update && apt-get -q -q install -y --no-install-recommends python3-minimal libpython3-stdlib >/dev/null && rm -rf /var/lib/apt/lists/*
COPY tests/sim /sim
USER 10001
ENTRYPOINT ["python3", "-B"]

FROM debian:12-slim
LABEL org.opencontainers.image.title="xsale-bridge" \
      org.opencontainers.image.description="Orders from xSale to an ERP through Kafka, and statuses back" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY tests/packages /tmp/packages
RUN sh /tmp/packages --install run && apt-get -q -q install -y --no-install-recommends odbc-postgresql odbc-mariadb libsqliteodbc >/dev/null \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt /var/log/* /tmp/packages
COPY --from=build /image /
# The version of CMakeLists.txt.
LABEL org.opencontainers.image.version="0.1.0"
USER 10001
CMD ["xsale-producer", "--help"]
