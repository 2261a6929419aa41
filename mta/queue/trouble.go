package queue

import "errors"

// troubles has the verdict for everything that can keep us from talking to a
// server about recipients. What is not here is worth another attempt.
var troubles = []struct {
	err     error
	outcome outcome
	status  enhanced
}{
	{errNoName, failed, enhanced{5, 1, 2}},
	{errNullMX, failed, enhanced{5, 1, 10}},
	{errMXLoop, failed, enhanced{5, 4, 6}},
	{errLiteral, failed, enhanced{5, 1, 2}},
	{errNoProxy, failed, enhanced{5, 4, 4}},

	{errDNS, deferred, enhanced{4, 4, 3}},
	{errNoHost, deferred, enhanced{4, 4, 4}},
	{errNoAnswer, deferred, enhanced{4, 4, 1}},
	{errNotThere, deferred, enhanced{4, 4, 1}},
	{errUnreachable, deferred, enhanced{4, 4, 1}},
	{errProxy, deferred, enhanced{4, 4, 1}},
	{errNoTLS, deferred, enhanced{4, 7, 4}},
	{errInjected, deferred, enhanced{4, 7, 5}},
	{errHandshake, deferred, enhanced{4, 7, 5}},
	{errCertificate, deferred, enhanced{4, 7, 5}},
	{errCertExpired, deferred, enhanced{4, 7, 5}},
	{errCertName, deferred, enhanced{4, 7, 5}},
	{errCertPin, deferred, enhanced{4, 7, 5}},
	{errSTSName, deferred, enhanced{4, 7, 5}},
	{errTLSLookup, deferred, enhanced{4, 7, 5}},
	{errAuthClear, deferred, enhanced{4, 7, 0}},
	{errAuthPlain, deferred, enhanced{4, 7, 0}},
	{errReplySyntax, deferred, enhanced{4, 5, 0}},
	{errReplyLength, deferred, enhanced{4, 5, 0}},
	{errBody, deferred, enhanced{4, 3, 0}},
	{errInterrupted, deferred, enhanced{4, 3, 0}},
	{errSlow, deferred, enhanced{4, 4, 2}},
	{errHungUp, deferred, enhanced{4, 4, 2}},
}

// trouble is the verdict on recipients that nothing was said about. What a server
// said on leaving is its reason, but never the end: it was not about them.
func trouble(err error) verdict {
	var r *refusal
	if errors.As(err, &r) {
		v := judge(r.reply)
		v.outcome, v.status[0] = deferred, 4
		return v
	}
	for _, t := range troubles {
		if errors.Is(err, t.err) {
			return verdict{outcome: t.outcome, status: t.status, err: t.err}
		}
	}
	return verdict{status: enhanced{4, 3, 0}, err: err}
}
