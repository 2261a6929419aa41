"""Logs in and runs the statements given as the last argument on `imap`."""
import imaplib, ssl, sys

hostport, ca, user, password, statements = sys.argv[1:6]
host, port = hostport.rsplit(":", 1)
imap = imaplib.IMAP4_SSL(host, int(port), ssl_context=ssl.create_default_context(cafile=ca))
imap.login(user, password)
exec(statements)
imap.logout()
