"""Submits the message on standard input."""
import smtplib, ssl, sys

hostport, ca, user, password, to = sys.argv[1:6]
host, port = hostport.rsplit(":", 1)
smtp = smtplib.SMTP_SSL(host, int(port), context=ssl.create_default_context(cafile=ca))
smtp.login(user, password)
smtp.sendmail(user, [to], sys.stdin.buffer.read())
smtp.quit()
