"""Orders as an unkind but correct server may write them: any order of keys, escapes in keys and texts, white space, numbers in every notation or as texts,
null, missing and empty values, articles in lines or beside them, hundreds of lines, clock changes. The same seed gives the same bytes."""
import json
import random

TEXTS = ["Zażółć gęślą jaźń", "Gżegżółka sp. z o.o.", "Piła 🪚", "👩‍👩‍👧 family", "\u2028\u2029", "\ufeffbom", "\uffff", "\U0010ffff", "\x7f\x80\x9f", "a\tb\nc\rd\be\f",
         "\x01\x1f", "\"quoted\" \\ back / slash", "</script>", "e\u0301", "שלום", "日本語", " ", "0", "null", "x" * 63, "y" * 64, "z" * 127, "ż" * 64,
         "%s%n", "'; --", "NaN", "-0"]
LONG_TEXTS = ["w" * 8191, "w" * 8192, "🪚" * 2048]
SPACES = ["", "", "", "", " ", "\n", "\r\n\t", "  "]
WAREHOUSES = ["MAG-1", "MAG-2", "MAGAZYN GŁÓWNY", "m", "ż" * 31, "WMS:7"]
EDGES = [0, 1, 127, 128, -128, -129, 255, 256, 32767, 32768, -32768, -32769, 8388607, 8388608, 2147483647, 2147483648, 10 ** 17, 10 ** 18 - 1, 1 - 10 ** 18]
LONGS = [1, 2, 63, 64, 8191, 8192, 2 ** 31, 2 ** 53, 2 ** 53 + 1, 2 ** 62, 2 ** 63 - 1]
# Around both changes of the clock in Poland, and before 1990, after 2070, and beyond a century without a leap day.
DAYS = ["2026-03-29", "2026-10-25", "2025-03-30", "2025-10-26", "2026-11-20", "2024-02-29", "1988-09-25", "2071-06-01", "2100-03-01", "1970-01-01", "2000-02-29"]


class Hostile:
    def __init__(self, seed):
        self.r = random.Random(f"hostile {seed}")
        self.calm = self.r.random() < 0.3      # some orders are as a kind server writes them

    def one_of(self, *made):
        return self.r.choice(made)()

    # How it is written

    def character(self, c):
        escapes = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "/": "\\/"}
        if c in '"\\' or c < " ":
            if c in escapes and self.r.random() < 0.7:
                return escapes[c]
        elif self.calm or self.r.random() < 0.9:
            return c
        elif c == "/":
            return "\\/"
        units = c.encode("utf-16-be", "surrogatepass")
        digits = "".join("\\u" + units[i:i + 2].hex() for i in range(0, len(units), 2))
        return digits if self.r.random() < 0.5 else digits.upper().replace("\\U", "\\u")

    def string(self, text):
        if self.calm or self.r.random() < (0.9 if len(text) > 200 else 0.4):
            return json.dumps(text, ensure_ascii=False)
        return '"' + "".join(self.character(c) for c in text) + '"'

    def space(self):
        return "" if self.calm else self.r.choice(SPACES)

    def render(self, value):
        if isinstance(value, dict):
            members = list(value.items())
            if not self.calm:
                self.r.shuffle(members)
            return "{" + ",".join(f"{self.space()}{self.string(k)}{self.space()}:{self.space()}{self.render(v)}{self.space()}" for k, v in members) + "}"
        if isinstance(value, list):
            return "[" + ",".join(f"{self.space()}{self.render(v)}{self.space()}" for v in value) + "]"
        return value.text if isinstance(value, Written) else self.string(value) if isinstance(value, str) else json.dumps(value)

    # What it says

    def number(self, unscaled, scale):
        """One of the ways of writing unscaled * 10^-scale, now and then as a text."""
        sign, digits = "-" if unscaled < 0 else "", str(abs(unscaled))
        style = self.r.randrange(9)
        if style == 0:
            text = f"{sign}{digits}{self.r.choice(['e', 'E'])}-{scale:0{self.r.choice([1, 3])}d}"
        elif style == 1 and len(digits) > 1:
            text = f"{sign}{digits[0]}.{digits[1:]}{self.r.choice(['e', 'E+', 'e+0'])}{len(digits) - 1 - scale}" if len(digits) > scale else f"{sign}{digits}e-{scale}"
        elif style == 2 and unscaled == 0:
            text = self.r.choice(["-0", "0.000000000", "0e5", "-0.0E-7"])
        else:
            digits = digits.rjust(scale + 1, "0")
            whole, part = digits[:len(digits) - scale], digits[len(digits) - scale:]
            if style < 6:
                part = part.rstrip("0")
            elif style == 6:
                part += "0" * self.r.randrange(12)
            text = sign + whole + ("." + part if part else "")
        return text if self.r.random() < 0.15 else Written(text)

    def decimal(self, precision, scale):
        bound = 10 ** precision - 1
        unscaled = self.r.choice(EDGES) if self.r.random() < 0.3 else self.r.randrange(10 ** self.r.randrange(1, precision + 1)) * self.r.choice([1, 1, 1, -1])
        fewer = self.r.randrange(scale + 1)      # every number of fraction digits
        unscaled = unscaled // 10 ** fewer * 10 ** fewer
        return self.number(max(-bound, min(bound, unscaled)), scale)

    def long(self):
        n = self.r.choice(LONGS) if self.r.random() < 0.2 else self.r.randrange(1, 100000)
        style = self.r.random()
        if style < 0.1:
            return str(n)
        return Written(f"{n}.0" if style < 0.13 else f"{n // 10}e1" if style < 0.15 and n % 10 == 0 else str(n))

    def text(self):
        style = self.r.random()
        if style < 0.5:
            return self.r.choice(TEXTS if style > 0.002 else LONG_TEXTS)
        return self.r.choice(RANDOM_TEXTS)

    def moment(self):
        t = self.r.choice(DAYS) if self.r.random() < 0.7 else f"{self.r.randrange(1900, 2200)}-{self.r.randrange(1, 13):02d}-{self.r.randrange(1, 29):02d}"
        if self.r.random() < 0.1:
            return t
        t += self.r.choice("TTTt ") + f"{self.r.choice([0, 1, 2, 2, 2, 3, 14, 23]):02d}:{self.r.randrange(60):02d}"
        if self.r.random() < 0.9:
            t += f":{self.r.randrange(60):02d}" + self.r.choice(["", "", ".1", ".12", ".123", ",999", ".1239999", ".000000001"])
        return t + self.r.choice(["", "", "", "Z", "z", "+01:00", "-0330", "+14:00", "+02", "-00:00"])

    def maybe(self, make):
        """A value, or one of the ways of saying nothing; MISSING is left out."""
        style = self.r.random()
        return make() if style < 0.8 else None if style < 0.9 else "" if style < 0.95 else MISSING

    def object(self, **members):
        if self.r.random() < 0.1:
            members["Extra"] = self.unknown(3)
        return {k: v for k, v in members.items() if v is not MISSING}

    def unknown(self, depth):
        """What no field of the schema asks for: of any size and shape."""
        if depth == 0:
            return self.r.choice([None, True, False, "", Written("123456789012345678901234567890"), Written("1e99999"), Written("-0"), self.text()])
        if self.r.random() < 0.5:
            return [self.unknown(depth - 1) for _ in range(self.r.randrange(4))]
        return {f"{i}{self.r.choice(['', 'Id', 'Ż'])}": self.unknown(depth - 1) for i in range(self.r.randrange(4))}

    def contractor(self):
        names = ["Name", "Email", "Phone", "Street", "StreetNumber", "ZipCode", "City", "Country"]
        made = {n: self.maybe(self.text) for n in names}
        return self.object(Id=self.maybe(self.long), NIP=self.maybe(lambda: self.one_of(lambda: "5252248481", lambda: Written("5252248481"))),
                           TaxId=self.r.choice([MISSING, "PL1070000034", None]), **made)

    def article(self, number):
        return self.object(Id=number, ArticleId=self.maybe(self.long), Code=self.one_of(self.text, lambda: f"ART-{number}", lambda: Written(str(number + 1))),
                           EAN=self.maybe(lambda: self.one_of(lambda: "5901234123457", lambda: Written("5901234123457"))), Name=self.maybe(self.text),
                           Quantity=self.decimal(18, 6), WarehouseCode=self.maybe(lambda: self.r.choice(WAREHOUSES)), **self.own("article"))

    def reference(self, number):
        return Written(f"{number}" if self.r.random() < 0.8 else f'"{number}"')

    def line(self, number, beside):
        articles = [self.article(number * 1000 + i) for i in range(self.r.choice([0, 1, 1, 1, 2, 3]))]
        line = self.object(Id=self.reference(number), OfferId=self.maybe(self.long), VariantId=self.maybe(self.long), Name=self.maybe(self.text),
                           Quantity=self.decimal(18, 6), PriceNet=self.maybe(lambda: self.decimal(18, 4)), PriceGross=self.maybe(lambda: self.decimal(18, 4)),
                           VatRate=self.maybe(lambda: self.r.choice(["23", Written("23"), Written("8.00"), "zw", "np."])), **self.own("item"))
        if beside is None:
            line["OrderItemArticles"] = articles if articles else self.r.choice([[], None, ""])
        else:
            beside += [dict(a, OrderItemId=self.reference(number)) for a in articles]
        return line

    def own(self, place):
        """Fields of an account's own, for the newer schema of test_peers.py."""
        if self.r.random() < 0.5:
            return {}
        if place != "order":
            return {"Gift": self.r.choice([True, False, None]), "Margin": self.decimal(38, 10)}
        return {"DeliveryDate": self.maybe(lambda: self.r.choice(DAYS) + self.r.choice(["", "T23:30:00", "T00:30:00+02:00"])),
                "Priority": self.maybe(lambda: self.r.choice(["HIGH", "LOW", "Pilne", "zwykłe ✓"])), "Packages": self.maybe(lambda: Written(str(self.r.randrange(-2 ** 31, 2 ** 31)))),
                "Tags": self.maybe(lambda: [self.text() for _ in range(self.r.randrange(4))]),
                "Deposits": self.maybe(lambda: [self.r.choice([None, self.decimal(9, 2)]) for _ in range(self.r.randrange(4))]),
                "Shop": self.maybe(lambda: self.object(Url=self.maybe(self.text), Since=self.maybe(self.moment)))}

    def order(self, number):
        beside = [] if self.r.random() < 0.3 else None
        lines = self.r.choice([1, 1, 1, 2, 2, 3, 4, 6, 10]) if self.r.random() < 0.995 else self.r.choice([63, 64, 150])
        order_id = self.r.choice(LONGS) if self.r.random() < 0.05 else number + 1
        order = self.object(
            Id=Written(str(order_id)) if self.r.random() < 0.9 else str(order_id), Number=self.maybe(self.text), ForeignNumber=self.maybe(self.text), StatusId=self.maybe(self.long),
            StatusName=self.maybe(self.text), IntegrationId=self.maybe(lambda: self.r.choice([Written("7"), "8", Written("9")])), PurchaseDate=self.moment(),
            Currency=self.maybe(lambda: self.r.choice(["PLN", "EUR"])), TotalNet=self.maybe(lambda: self.decimal(18, 4)), TotalGross=self.maybe(lambda: self.decimal(18, 4)),
            PaymentFormId=self.maybe(self.long), PaymentStatus=self.maybe(self.text), DeliveryMethod=self.maybe(self.text),
            DeliveryPriceGross=self.maybe(lambda: self.decimal(18, 4)), Remarks=self.maybe(self.text), WarehouseCode=self.maybe(lambda: self.r.choice(WAREHOUSES)),
            Buyer=self.maybe(self.contractor), Recipient=self.maybe(self.contractor), Payer=self.maybe(lambda: self.r.choice([{}, self.contractor()])),
            Items=[self.line(i + 1, beside) for i in range(lines)], **self.own("order"))
        if beside:
            self.r.shuffle(beside)
            order["OrderItemArticles"] = beside
        return f"{self.space()}{self.render(order)}{self.space()}".encode()


class Written:
    """Text that goes into the document as it is."""

    def __init__(self, text):
        self.text = text


def random_texts(count):
    r = random.Random("texts")
    return ["".join(chr(r.choice([r.randrange(32, 127), r.randrange(0x80, 0xd800), r.randrange(0xe000, 0x110000)])) for _ in range(r.randrange(1, 24)))
            for _ in range(count)]


MISSING, RANDOM_TEXTS = object(), random_texts(5000)


def orders(count, seed):
    """The texts of so many orders. The text of an order is what stands between the braces, these included."""
    return [Hostile(f"{seed}/{n}").order(n) for n in range(count)]
