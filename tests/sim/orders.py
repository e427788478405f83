"""Generator of orders as xSale would send them: exact text, never a float. @STATUS_ID@ and @STATUS_NAME@ stand where the status goes."""
import json
import random

NAMES = ["Gżegżółka sp. z o.o.", "Łukasz Brzęczyszczykiewicz", "Żaneta Ćwik 🌻", "Hurtownia \"Świt\"", "Ståle Øye", "Michał Późny", "ACME \\ Syn",
         "Zażółć Gęślą Jaźń S.A."]
CITIES = [("80-305", "Gdańsk"), ("00-950", "Warszawa"), ("31-002", "Kraków"), ("90-001", "Łódź"), ("50-001", "Wrocław")]
GOODS = ["Młotek", "Wiertło 8 mm", "Śrubokręt", "Zestaw narzędzi", "Kłódka", "Taśma 3/4\"", "Wkręty 100 szt.", "Piła 🪚", "Rękawice", "Żarówka LED"]
REMARKS = ["Proszę dzwonić", "", "Prezent 🎁 – bez paragonu", "Line one\nline two\ttab", "Kod do bramy: #12", "\u2028separator", None]
VAT = ["23", "8", "5", "0"]


def text(value):
    return json.dumps(value, ensure_ascii=False)


def money(amount, r, digits=2):
    """amount in units of 10^-digits; now and then with trailing zeros cut or added, as servers write them."""
    whole, part = divmod(amount, 10 ** digits)
    t = f"{whole}.{part:0{digits}d}"
    style = r.randrange(12)
    if style == 0:
        t = t.rstrip("0").rstrip(".") or "0"
    elif style == 1:
        t += "00"
    return t


def contractor(r, number, role):
    name = r.choice(NAMES)
    zip_code, city = r.choice(CITIES)
    return (f'"{role}": {{"Id": {number}, "Name": {text(name)}, "NIP": {text(r.choice(["5252248481", "", "1070000034"]))}, '
            f'"Email": "klient{number}@example.pl", "Phone": "+48 600 {r.randrange(100, 999)} {r.randrange(100, 999)}", '
            f'"Street": {text(r.choice(["Zażółć", "Długa", "al. Jerozolimskie"]))}, "StreetNumber": "{r.randrange(1, 99)}/{r.randrange(1, 20)}", '
            f'"ZipCode": "{zip_code}", "City": {text(city)}, "Country": "PL"}}')


def article(r, number, warehouse, code=None):
    n = r.randrange(1, 400)
    where = f', "WarehouseCode": "{warehouse}"' if warehouse else ""
    quantity = r.choice([str(r.randrange(1, 20)), f"{r.randrange(1, 9)}.{r.randrange(1, 999999):06d}", "1.0"])
    return (f'{{"Id": {number}, "ArticleId": {4000 + n}, "Code": "{code or "ART-%04d" % n}", "EAN": "59012341{n:05d}", '
            f'"Name": {text(r.choice(GOODS))}, "Quantity": {quantity}{where}}}')


def line(r, number, warehouses, code):
    net = r.choice([7, 10010, r.randrange(1, 10), r.randrange(100, 100000), r.randrange(10 ** 6, 10 ** 9), 9553, 12345678901234])
    vat = r.choice(VAT)
    gross = (net * (100 + int(vat)) + 50) // 100
    articles = ", ".join(article(r, number * 10 + i, w, code if i == 0 else None) for i, w in enumerate(warehouses))
    return (f'{{"Id": {number}, "OfferId": {9000 + r.randrange(500)}, "VariantId": {r.randrange(1, 4)}, "Name": {text(r.choice(GOODS))}, '
            f'"Quantity": {r.randrange(1, 9)}, "PriceNet": {money(net, r)}, "PriceGross": {money(gross, r)}, "VatRate": {vat}, '
            f'"OrderItemArticles": [{articles}]}}'), net, gross


def order(number, seed=0, warehouses=("MAG-1",), code=None, lines=None, pad=0):
    """The text of one order. warehouses: those that it has articles for, each at least once. code: the first article's. pad: at least so many bytes."""
    r = random.Random(f"{seed}/{number}")
    n = max(lines or r.randrange(1, 11), 1)
    rows, net_total, gross_total = [], 0, 0
    for i in range(n):
        if i == 0:
            here = list(warehouses)
        else:
            here = [r.choice(warehouses) for _ in range(r.randrange(1, 3))]
        row, net, gross = line(r, i + 1, here, code if i == 0 else None)
        rows.append(row)
        net_total, gross_total = net_total + net, gross_total + gross
    buyer = 500 + r.randrange(100000)
    payer = r.choice([f"{contractor(r, buyer + 1, 'Payer')}", '"Payer": null'])
    date = f"2026-{r.randrange(1, 12):02d}-{r.randrange(1, 28):02d}"
    when = r.choice([f"{date}T{r.randrange(3, 24):02d}:{r.randrange(60):02d}:{r.randrange(60):02d}", date, f"{date}T12:00:00Z", f"{date}T12:00:00.123+01:00"])
    head = (f'{{"Id": {number}, "Number": "ZAM/2026/11/{number}", "ForeignNumber": "A-{r.randrange(10 ** 9)}", "StatusId": @STATUS_ID@, '
            f'"StatusName": @STATUS_NAME@, "IntegrationId": 7, "PurchaseDate": "{when}", "Currency": "PLN", "TotalNet": {money(net_total, r)}, '
            f'"TotalGross": {money(gross_total, r)}, "PaymentFormId": {r.randrange(1, 9)}, "PaymentStatus": "{r.choice(["Paid", "Unpaid"])}", '
            f'"DeliveryMethod": {text(r.choice(["InPost Kurier", "Odbiór własny", "Poczta Polska – ekonomiczna"]))}, "DeliveryPriceGross": {money(r.choice([1499, 0, 7]), r)}, '
            f'"Remarks": {text(r.choice(REMARKS))}, "WarehouseCode": "{warehouses[0]}", "BuyerId": {buyer}, "RecipientId": {buyer}, "PayerId": {buyer + 1}, '
            f'"UnknownExtra": {{"Flags": [true, null, 12345678901234567890], "Nested": {{"Deep": [1.10, "x"]}}}}, ')
    body = f'{head}{contractor(r, buyer, "Buyer")}, {contractor(r, buyer, "Recipient")}, {payer}, "Items": [{", ".join(rows)}]'
    missing = pad - len(body.encode()) - 20
    if missing > 0:
        body += f', "Padding": "{"x" * missing}"'
    return body + "}"
