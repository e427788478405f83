"""Broker, registry, xSale and ERP absent at start: /readyz names each, nothing ends, and the programs go on as they come, one after another."""
import harness
import services
from harness import check, equal, main, wait


def test(s):
    ids = s.generate(30)
    s.xsale.down()
    s.erp.down()
    s.start()
    xsale_side, everyone = (s.producer, s.updater), list(s.programs.values())
    wait("every program answers /livez", 10, lambda: s.all_alive() and all(p.http("/livez")[0] == 200 for p in everyone))

    def state(p, name):
        """The worst state of the dependencies of that name or of that family (kafka: kafka-publish, kafka-group, ...)."""
        found = [v for k, v in p.dependencies().items() if k == name or k.startswith(name + "-")]
        return next((v for v in ("down", "unknown", "up") if v in found), None)

    def named(p, name):
        return not p.ready() and state(p, name) in ("down", "unknown")
    wait("the broker is named by everyone", 30, lambda: s.all_alive() and all(named(p, "kafka") for p in everyone))
    wait("the broker is down for everyone", 30, lambda: s.all_alive() and all(state(p, "kafka") == "down" for p in everyone))
    wait("the registry is down for everyone", 20, lambda: all(state(p, "registry") == "down" for p in everyone))
    wait("xSale is down for its side", 20, lambda: all(state(p, "xsale") == "down" for p in xsale_side))

    s.start_kafka()
    s.write_config(kafka={"bootstrap.servers": s.kafka.bootstrap})
    s.start_registry()
    s.write_config(registry={"url": s.registry.url})
    for p in everyone:
        equal(p.stop(), 0, f"exit code of {p.name}, stopped while everything was absent")
        p.start()
    wait("xSale is named alone by its side", 40, lambda: s.all_alive() and all(state(p, "xsale") == "down" and state(p, "registry") == "up" for p in xsale_side))
    s.xsale.up()
    wait("orders are published", 40, lambda: s.all_alive() and s.producer.published() >= 30)
    wait("the ERP is named", 30, lambda: all(p.dependencies().get("erp") == "down" for p in s.consumers))
    s.erp.up()
    s.settled(60)
    s.verify(ids, overlaps=True)
    for p in everyone:
        wait(f"{p.name} is ready", 15, p.ready)
    s.stop()


def late(s):
    """Broker and registry come late on the very addresses that the programs were given: no restart is needed."""
    ids = s.generate(30)
    reserved = services.free_port()
    s.write_config(kafka={"bootstrap.servers": f"127.0.0.1:{reserved}"})
    s.start()
    wait("the broker is down", 40, lambda: s.all_alive() and all("down" in p.dependencies().values() for p in s.programs.values()))
    ports = iter([reserved])
    original, services.free_port = services.free_port, lambda: next(ports, None) or original()
    try:
        s.kafka = s.part(services.Kafka())
    finally:
        services.free_port = original
    s.settled(90)
    s.verify(ids, overlaps=True)
    s.stop()


def both(s):
    test(s)
    if s.cluster == "real":
        second = harness.Stack(s.cluster, s.build, start=False)
        try:
            second.start_registry()
            second.write_config(registry={"url": second.registry.url})
            late(second)
        except Exception:
            second.tails()
            raise
        finally:
            second.close()


if __name__ == "__main__":
    main(both, __doc__, start=False)
