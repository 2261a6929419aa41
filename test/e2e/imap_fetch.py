"""Prints every message of INBOX as a JSON list of strings."""
import imaplib, json, ssl, sys

hostport, ca, user, password = sys.argv[1:5]
host, port = hostport.rsplit(":", 1)
imap = imaplib.IMAP4_SSL(host, int(port), ssl_context=ssl.create_default_context(cafile=ca))
imap.login(user, password)
imap.select("INBOX", readonly=True)
_, found = imap.uid("SEARCH", None, "ALL")
mails = []
for uid in found[0].split():
    _, data = imap.uid("FETCH", uid, "(BODY.PEEK[])")
    mails.append(data[0][1].decode())
imap.logout()
print(json.dumps(mails))
