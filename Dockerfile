# The programs in an image: `docker build -t xsale-bridge .`, then run one program per container with a configuration mounted.
FROM debian:12-slim AS build
WORKDIR /src
COPY tests/packages tests/packages
RUN tests/packages --install build
COPY . .
RUN cmake -S . -B /build -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DBUILD_TESTING=OFF && cmake --build /build && DESTDIR=/image cmake --install /build --prefix /usr

FROM debian:12-slim
COPY tests/packages /tmp/packages
RUN sh /tmp/packages --install run && rm -rf /var/lib/apt/lists/* /tmp/packages
COPY --from=build /image /
USER 10001
CMD ["xsale-producer", "--help"]
