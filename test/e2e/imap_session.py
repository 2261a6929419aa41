"""A whole IMAP session with Python's imaplib; a second one watches."""
import imaplib, ssl, sys

hostport, ca, user, password, mailfile = sys.argv[1:6]
host, port = hostport.rsplit(":", 1)
mail = open(mailfile, "rb").read()


def connect():
    imap = imaplib.IMAP4_SSL(host, int(port), ssl_context=ssl.create_default_context(cafile=ca))
    imap.login(user, password)
    return imap


def ok(answer):
    kind, data = answer
    assert kind == "OK", answer
    return data


def check(what, got, want):
    assert got == want, "%s: got %r, want %r" % (what, got, want)


def uids(imap, *keys):
    return ok(imap.uid("SEARCH", None, *keys))[0].split()


def exists(imap):
    """How many messages the watching session has been told of."""
    imap.untagged_responses.clear()
    ok(imap.noop())
    return [int(n) for n in imap.untagged_responses.get("EXISTS", [])]


a, b = connect(), connect()
# imaplib keeps the capabilities of before the login.
offered = ok(a.capability())[0].decode().split()
for capability in ("IDLE", "UIDPLUS", "MOVE", "CONDSTORE", "SPECIAL-USE", "LITERAL+"):
    assert capability in offered, (capability, offered)

ok(a.create("Letters/2026"))
names = [line.decode().rsplit(" ", 1)[1].strip('"') for line in ok(a.list())]
assert "Letters/2026" in names and "INBOX" in names, names
check("create again", a.create("Letters/2026")[0], "NO")

ok(a.select("INBOX"))
ok(b.select("INBOX"))
for flags in ("", "(\\Seen)", "(\\Flagged $Work)"):
    ok(a.append("INBOX", flags, '"23-Nov-2026 14:00:00 +0000"', mail))
check("the other session is told of three", exists(b)[-1:], [3])
check("the whole message comes back", ok(a.uid("FETCH", "1", "(BODY.PEEK[])"))[0][1], mail)

check("unseen", uids(a, "UNSEEN"), [b"1", b"3"])
check("keyword", uids(a, "KEYWORD", "$Work"), [b"3"])
check("by date", uids(a, "ON", "23-Nov-2026"), [b"1", b"2", b"3"])
ok(a.uid("STORE", "1", "+FLAGS", "(\\Answered)"))
b.untagged_responses.clear()
ok(b.noop())
assert any(b"\\Answered" in line for line in b.untagged_responses.get("FETCH", [])), b.untagged_responses
check("answered, seen by the other", uids(b, "ANSWERED"), [b"1"])

ok(a.uid("COPY", "1:2", '"Letters/2026"'))
ok(a.uid("MOVE", "3", '"Letters/2026"'))
b.untagged_responses.clear()
ok(b.noop())
check("the move is seen as an expunge", b.untagged_responses.get("EXPUNGE"), [b"3"])

ok(a.uid("STORE", "1", "+FLAGS", "(\\Deleted)"))
ok(a.expunge())
check("one left", uids(a, "ALL"), [b"2"])

ok(a.select('"Letters/2026"'))
check("copied and moved", len(uids(a, "ALL")), 3)
check("flags travelled", uids(a, "FLAGGED"), [b"3"])
ok(a.close())
ok(a.rename("Letters/2026", "Letters/old"))
check("renamed", a.select('"Letters/old"')[0], "OK")
ok(a.unselect())
ok(a.delete("Letters/old"))
check("gone", a.select('"Letters/old"')[0], "NO")
a.logout()
b.logout()
