"""Help-centre documents: services, procedures, companies and complaints of health, all invented.

Every document is a new random draw (invented names, amounts, dates, places), so a model can answer only by copying.
"""
from documents import Document, Unit, whole_questions

SYL1 = "al an ar bel bri cal cor dan del el en fal fen gar gil hal har il jor kel kin lan lor mar mel mon nar nor or pal per quin ral ren ros sal sel sol tal tor ul val ver wil yor zan zel".split()
SYL2 = "a ado al and ane ar as bury by dale den don dor el en er ford gate ham ia ic ida in ion is ith land ley lin mar mere mont nor o on or ora ose ow port ra ridge ros son stead ton us vale ville wick wood yn".split()
ACCENTED = {"a": "áàäåãâ", "e": "éèêëę", "i": "íîï", "o": "óöøôõ", "u": "úüû", "n": "ñń", "c": "çč", "s": "šś"}
FIRST = "Ada Alma Amir Anna Arlo Bea Ben Cara Carl Chen Clara Dana Dev Dora Ed Elin Eli Emma Ezra Faye Finn Gita Hugo Ines Ivan Jade Jin Joan Kai Kofi Lara Leo Lina Luca Maya Milo Mina Nia Noor Omar Otto Pia Ravi Rosa Ruth Sam Sara Sven Tara Theo Uma Vera Wei Yara Zoe".split()
MONTHS = "January February March April May June July August September October November December".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
CUR = ["euros", "dollars", "pounds", "crowns", "yuan"]
ADJ = "Basic Plus Prime Gold Silver Blue Green Family Student Senior Business Travel Home City Rural Smart Direct Classic Flex Premium Youth Nova Swift Solo Duo".split()
PRODUCT = ["savings account", "current account", "credit card", "debit card", "home insurance", "travel insurance", "car insurance", "mobile plan", "broadband plan", "transit pass", "parking permit", "library card", "residence permit", "building permit", "business licence", "health plan", "dental plan", "pension plan", "student loan", "home loan", "gift card", "energy tariff", "water service", "recycling service", "delivery service", "payment wallet", "tax refund", "driving licence", "passport renewal", "child benefit"]
DOCS = ["a valid passport", "a national identity card", "a recent utility bill", "proof of address", "two passport photos", "a signed application form", "the last three payslips", "a bank statement", "the original invoice", "a medical certificate", "proof of income", "a birth certificate", "the rental contract", "a company registration number", "the vehicle registration", "a letter from the employer", "the previous certificate", "a completed medical questionnaire", "the order number", "a student certificate"]
CHANNEL = ["online", "by phone", "in the mobile app", "at any branch", "by post", "at the service desk", "through the customer portal", "by e-mail"]
BENEFIT = ["free replacement of a lost card", "cover for stolen luggage", "unlimited transfers within the country", "a reduced rate on weekends", "priority support at all hours", "a welcome bonus in the first year", "free access to the mobile app", "cover for emergency treatment abroad", "no fee for cash withdrawals", "a yearly check-up at no cost", "two free changes per year", "automatic renewal", "a discount for a second contract", "free delivery of documents", "cover for accidental damage", "interest paid every month", "unlimited local calls", "a personal adviser", "late-night travel at no extra charge", "a full refund in the first month"]
REASON = ["the documents are incomplete", "the address cannot be confirmed", "a payment is overdue", "the applicant is under eighteen", "the form is not signed", "the photo is too old", "the previous contract is still active", "the limit has been reached", "the identity check fails", "the deadline has passed"]
VERB_STEP = ["Open the customer portal and sign in.", "Choose the {p} from the list.", "Fill in the application form.", "Upload {d}.", "Upload {d} and {d2}.", "Confirm your address.", "Pay the fee of {m}.", "Check the summary and press Confirm.", "Wait for the confirmation e-mail.", "Book an appointment at the {pl} office.", "Bring {d} to the appointment.", "Sign the contract at the desk.", "Enter the code sent to your phone.", "Keep the reference number {ref}.", "Collect the card after {t}.", "Call {ph} to activate it.", "Select the starting date.", "Choose how you want to pay."]
SYMPTOM = ["a dry cough", "a mild fever", "headaches", "tired eyes", "a sore throat", "back pain", "trouble sleeping", "muscle cramps", "a runny nose", "dizziness", "stiff shoulders", "itchy skin", "loss of appetite", "joint pain", "low energy"]
ADVICE = ["drink plenty of water", "rest for {t}", "avoid screens before bed", "take a short walk every {day}", "keep the room cool", "eat lighter meals in the evening", "stretch for {n} minutes every morning", "wash your hands often", "see a doctor if it lasts longer than {t}", "avoid caffeine after noon", "sleep at least {n2} hours", "use a warm compress", "keep a diary of the symptoms", "call {ph} for advice", "sit upright while working"]


class Invention:
    """Draws names, amounts, dates and places."""

    def __init__(self, rng):
        self.r = rng

    def word(self):
        r = self.r
        s = r.choice(SYL1) + (r.choice(SYL1) if r.random() < 0.35 else "") + r.choice(SYL2)
        if r.random() < 0.04:
            plain = r.choice("aeiouncs")
            s = s.replace(plain, r.choice(ACCENTED[plain]), 1)
        return s.capitalize()

    def place(self):
        return self.word() + (self.r.choice([" Street", " Square", " Road", " Hill", " Quay"]) if self.r.random() < 0.4 else "")

    def person(self):
        return self.r.choice(FIRST) + " " + self.word()

    def num(self, a, b):
        return self.r.randint(a, b)

    def money(self):
        n = self.r.choice([self.num(2, 99), self.num(10, 50) * 10, self.num(1, 90) * 100, self.num(1, 90) * 1000])
        s = f"{n:,}" if n >= 1000 and self.r.random() < 0.6 else str(n)
        if n < 100 and self.r.random() < 0.35:
            s += f".{self.num(10, 99)}"
        return f"{s} {self.r.choice(CUR)}"

    def date(self):
        return f"{self.num(1, 28)} {self.r.choice(MONTHS)}" + (f" {self.num(1998, 2031)}" if self.r.random() < 0.5 else "")

    def time(self):
        r = self.r
        return r.choice([f"{self.num(2, 30)} working days", f"{self.num(2, 12)} weeks", f"{self.num(2, 36)} months", f"{self.num(2, 72)} hours", f"{self.num(2, 20)} days"])

    def clock(self):
        return f"{self.num(6, 11)}:{self.r.choice(['00', '15', '30', '45'])} to {self.num(14, 22)}:{self.r.choice(['00', '15', '30'])}"

    def phone(self):
        return f"{self.num(200, 999)} {self.num(1000, 9999)}"

    def ref(self):
        return "".join(self.r.choice("ABCDEFGHJKLMNPRSTUVWXYZ") for _ in range(2)) + f"-{self.num(100, 9999)}"

    def web(self, name):
        return f"{name.lower()}.example/{self.r.choice(['help', 'apply', 'fees', 'start', 'forms'])}"

    def pct(self):
        return f"{self.num(1, 9)}.{self.num(0, 9)} percent" if self.r.random() < 0.6 else f"{self.num(2, 40)} percent"

    def some(self, xs, a, b):
        return self.r.sample(xs, self.num(a, b))


def listing(xs):
    return xs[0] if len(xs) == 1 else ", ".join(xs[:-1]) + " and " + xs[-1]


def service(d):
    r = d.r
    name = f"{d.word()} {r.choice(ADJ)} {r.choice(PRODUCT)}" if r.random() < 0.8 else f"{d.word()} {r.choice(PRODUCT)}"
    comp = d.word()
    facts = []  # (question stem, sentence)
    short = f"the {name}"

    def fact(q, *variants):
        facts.append((q, r.choice(variants)))

    fee, t, lim = d.money(), d.time(), d.money()
    fact(["How much does {s} cost?", "What is the fee for {s}?", "What do I pay for {s}?"],
         f"The {name} costs {fee} per {r.choice(['month', 'year', 'quarter'])}.", f"The annual fee for the {name} is {fee}.", f"There is a one-time fee of {fee}, paid on {d.date()}.")
    fact(["How long does {s} take?", "What is the processing time for {s}?", "When will my application for {s} be ready?"],
         f"Applications are processed within {t}.", f"Processing takes {t} from the day all documents arrive.", f"A decision is sent within {t}.")
    docs = d.some(DOCS, 1, 4)
    fact(["Which documents do I need for {s}?", "What do I have to bring for {s}?", "What documents are required for {s}?"],
         f"You need {listing(docs)}.", f"Applicants must provide {listing(docs)}.", f"The following documents are required: {listing(docs)}.")
    ch = d.some(CHANNEL, 1, 3)
    fact(["How can I apply for {s}?", "Where do I apply for {s}?"],
         f"You can apply {listing(ch)}.", f"Applications are accepted {listing(ch)}.", f"It is possible to apply {listing(ch)}, or at {d.web(comp)}.")
    ben = d.some(BENEFIT, 1, 4)
    fact(["What does {s} include?", "What are the benefits of {s}?"],
         f"It includes {listing(ben)}.", f"Customers receive {listing(ben)}.", f"The benefits are {listing(ben)}.")
    fact(["What is the limit of {s}?", "Is there a limit on {s}?"],
         f"The limit is {lim} per {r.choice(['day', 'month', 'claim', 'year'])}.", f"Amounts above {lim} need approval from {d.person()}.", f"The highest amount is {lim}, and it rises by {d.pct()} after {d.time()}.")
    fact(["How can I cancel {s}?", "What happens if I cancel {s}?"],
         f"You can cancel {r.choice(ch)} until {d.date()}.", f"Cancellation is free within {d.time()}; after that a charge of {d.money()} applies.", f"To cancel, write to the {d.place()} office at least {d.time()} in advance.")
    fact(["Whom do I contact about {s}?", "What is the phone number for {s}?", "Who can help me with {s}?"],
         f"For questions call {d.phone()} between {d.clock()}.", f"The contact is {d.person()}, phone {d.phone()}.", f"Support is available on {d.phone()} from {r.choice(DAYS)} to {r.choice(DAYS)}, {d.clock()}.")
    fact(["When is the office for {s} open?", "What are the opening hours for {s}?"],
         f"The office at {d.place()} is open {d.clock()}.", f"The {d.place()} desk opens on {r.choice(DAYS)} and {r.choice(DAYS)} from {d.clock()}.")
    fact(["Who can get {s}?", "Who is eligible for {s}?"],
         f"It is open to residents of {d.place()} older than {d.num(16, 65)}.", f"Anyone who has lived in {d.place()} for {d.time()} can apply.", f"It is available to customers of {comp} since {d.date()}.")
    fact(["Why was my request for {s} refused?", "When can {s} be refused?"],
         f"A request is refused if {listing(d.some(REASON, 1, 3))}.", f"Requests are rejected when {listing(d.some(REASON, 1, 2))}.")
    fact(["What interest does {s} pay?", "What is the rate of {s}?"],
         f"The rate is {d.pct()} until {d.date()}.", f"The current rate is {d.pct()} and falls to {d.pct()} after {d.time()}.")
    r.shuffle(facts)
    facts = facts[: d.num(3, 7)]
    intro = r.choice([f"The {name} is offered by {comp}.", f"{comp} introduced the {name} on {d.date()}.", f"The {name} is a service of {comp} for {r.choice(['families', 'students', 'companies', 'residents', 'visitors', 'drivers', 'tenants'])}."])
    return dict(title=name[0].upper() + name[1:], name=short, intro=intro, facts=facts)


def procedure(d):
    r = d.r
    p = r.choice(PRODUCT)
    comp = d.word()
    title = f"{r.choice(['Applying for', 'Renewing', 'Changing', 'Cancelling', 'Replacing'])} the {comp} {p}"
    steps = []
    for s in d.some(VERB_STEP, 3, 6):
        dd = d.some(DOCS, 2, 2)
        steps.append(s.format(p=p, d=dd[0], d2=dd[1], m=d.money(), pl=d.place(), ref=d.ref(), t=d.time(), ph=d.phone()))
    body = " ".join(f"{i + 1}. {s}" for i, s in enumerate(steps))
    verb = title.split(" the ")[0]
    base = {"Applying for": "apply for", "Renewing": "renew", "Changing": "change", "Cancelling": "cancel", "Replacing": "replace"}[verb]
    return dict(title=title, name=f"the {comp} {p}", intro=f"{title} takes {d.num(2, 6)} to {d.num(7, 20)} minutes.", facts=[([f"How do I {base} {{s}}?", f"What are the steps to {base} {{s}}?", f"How can I {base} {{s}}?"], body)], steps=True)


def company(d):
    r = d.r
    name = d.word() + " " + r.choice(["Holdings", "Logistics", "Energy", "Foods", "Robotics", "Textiles", "Software", "Motors", "Media", "Water", "Rail", "Steel"])
    facts = []

    def fact(q, *v):
        facts.append((q, r.choice(v)))
    fact(["When was {s} founded?", "Who founded {s}?"], f"{name} was founded by {d.person()} on {d.date()}.", f"It was founded in {d.num(1890, 2024)} by {d.person()} and {d.person()}.")
    fact(["Where is {s} based?", "What is the address of {s}?"], f"The head office is at {d.num(1, 400)} {d.place()}, {d.word()}.", f"{name} is based in {d.place()} and has branches in {d.word()} and {d.word()}.")
    fact(["How many people work at {s}?", "How big is {s}?"], f"It employs {d.num(12, 98)},{d.num(100, 999)} people.", f"{name} has {d.num(20, 900)} employees, {d.pct()} more than last year.")
    fact(["What is the registered capital of {s}?", "How large is the capital of {s}?"], f"The registered capital is {d.num(2, 900)} million {r.choice(CUR)}.", f"Its capital was raised to {d.num(2, 900)} million {r.choice(CUR)} on {d.date()}.")
    fact(["Who leads {s}?", "Who is the director of {s}?"], f"The director is {d.person()}, who followed {d.person()} on {d.date()}.", f"{d.person()} has led the company since {d.date()}.")
    fact(["What was the revenue of {s}?", "How much did {s} earn?"], f"Revenue in {d.num(2010, 2026)} was {d.num(2, 900)} million {r.choice(CUR)}, up {d.pct()}.", f"It earned {d.num(2, 900)} million {r.choice(CUR)} in the last year.")
    fact(["Who owns {s}?", "Who are the shareholders of {s}?"], f"{d.person()} holds {d.pct()} and {d.person()} holds {d.pct()} of the shares.", f"The largest shareholder is {d.word()} Capital with {d.pct()}.")
    fact(["What does {s} do?", "What is the business of {s}?"], f"{name} sells {listing(d.some(['cables', 'pumps', 'furniture', 'bread', 'coffee', 'sensors', 'paint', 'bicycles', 'batteries', 'windows', 'glass', 'maps', 'tools', 'seeds', 'paper'], 2, 4))} in {d.num(3, 60)} countries.")
    r.shuffle(facts)
    return dict(title=name, name=name, intro=f"{name} is registered under {d.ref()}.", facts=facts[: d.num(3, 6)])


def health(d):
    r = d.r
    name = d.word() + " " + r.choice(["fever", "syndrome", "cold", "strain", "fatigue", "allergy"])
    sy, ad = d.some(SYMPTOM, 2, 4), d.some(ADVICE, 2, 4)
    ad = [a.format(t=d.time(), day=r.choice(DAYS), n=d.num(5, 30), n2=d.num(6, 9), ph=d.phone()) for a in ad]
    facts = [(["What are the symptoms of {s}?", "How do I recognise {s}?"], f"Typical signs are {listing(sy)}."),
             (["What helps against {s}?", "What should I do about {s}?", "How is {s} treated?"], f"It is best to {listing(ad)}."),
             (["How long does {s} last?", "When does {s} go away?"], f"It usually lasts {d.time()} and returns in {d.pct()} of cases."),
             (["Who gets {s}?", "Is {s} common?"], f"It affects {d.pct()} of people older than {d.num(20, 70)}, mostly in {r.choice(MONTHS)}.")]
    r.shuffle(facts)
    return dict(title=name, name=name, intro=f"{name} was first described by {d.person()}.", facts=facts[: d.num(2, 4)])



KINDS = [service, service, service, procedure, company, company, health]


def help_document(rng, kind=None):
    """Draws a document of the help centre; `kind` is one of KINDS."""
    drawn = (kind or rng.choice(KINDS))(Invention(rng))
    units = [Unit(drawn["intro"], [], "intro")]
    for wordings, sentence in drawn["facts"]:
        units.append(Unit(sentence, [wording.format(s=drawn["name"]) for wording in wordings], wordings[0]))
    return Document(drawn["title"], units, drawn["name"], whole_questions(drawn["name"]))
