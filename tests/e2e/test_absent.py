"""Broker, registry, xSale and ERP absent at start: /readyz names each, nothing ends, and the programs go on by themselves as they come, one after another."""
from harness import check, equal, main, services, wait


def state(p, name):
    """The worst state of the dependencies of that name or of that family (kafka: kafka-publish, kafka-group, ...)."""
    found = [v for k, v in p.dependencies().items() if k == name or k.startswith(name + "-")]
    return next((v for v in ("down", "unknown", "up") if v in found), None)


def test(s):
    broker, registry = services.free_port(), services.free_port()
    if s.cluster == "mock":
        s.start_kafka()                 # it cannot be given a port: there, but down
        s.kafka.command("down")
        bootstrap = s.kafka.bootstrap
    else:
        bootstrap = f"127.0.0.1:{broker}"
    root = services.COMPATIBLE if s.cluster == "real" else ""
    s.write_config(kafka={"bootstrap.servers": bootstrap}, registry={"url": f"http://127.0.0.1:{registry}{root}"})
    ids = s.generate(30)
    s.xsale.down()
    s.erp.down()
    s.start()
    xsale_side, everyone = (s.producer, s.updater), list(s.programs.values())

    def seen(what, seconds, programs, name, wanted):
        wait(what, seconds, lambda: s.all_alive() and all(state(p, name) == wanted for p in programs), 0.2)
        if wanted == "down":
            check(not any(p.ready() for p in programs), f"a program is ready while {name} is down")
            check(all('"error":' in p.http("/readyz")[1] for p in programs), "/readyz says what is wrong")

    seen("the ERP is down for its side before there is an order", 60, s.consumers, "erp", "down")
    seen("the broker is down for everyone", 60, everyone, "kafka", "down")
    seen("xSale is down for its side", 60, xsale_side, "xsale", "down")
    check(all(p.http("/livez")[0] == 200 for p in everyone), "every program is alive while nothing is there")

    if s.cluster == "mock":
        s.kafka.command("up")
    else:
        s.start_kafka(broker)
    seen("the registry is down for everyone", 60, everyone, "registry", "down")
    wait("nobody says that the broker is down", 60, lambda: s.all_alive() and not any(state(p, "kafka") == "down" for p in everyone), 0.2)
    s.start_registry(registry)
    seen("the registry is up for everyone", 60, everyone, "registry", "up")
    equal([state(p, "xsale") for p in xsale_side], ["down", "down"], "xSale, still absent")
    s.xsale.up()
    seen("xSale is up for its side", 60, xsale_side, "xsale", "up")
    wait("orders are published", 60, lambda: s.all_alive() and s.producer.published() >= 30)
    seen("the ERP is down for its side", 60, s.consumers, "erp", "down")
    s.erp.up()
    s.settled(60)
    s.verify(ids, overlaps=True)
    for p in everyone:
        wait(f"{p.name} is ready", 60, p.ready)
    s.stop()


if __name__ == "__main__":
    main(test, __doc__, start=False)
