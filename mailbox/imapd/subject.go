package imapd

import "strings"

// baseSubject returns what a subject is about, without what replies, forwarding and
// mailing lists put around it (RFC 5256, 2.1).
func baseSubject(raw string) string {
	base, _ := splitSubject(raw)
	return base
}

// splitSubject returns the base subject, and whether something was around it that
// replies and forwarding put there. The steps are numbered as in RFC 5256, 2.1.
func splitSubject(raw string) (base string, reply bool) {
	s := strings.Join(strings.FieldsFunc(decodeHeader(raw), isFold), " ") // (1)
	for {
		rest := trimTrailer(s) // (2)
		reply = reply || len(rest) < len(strings.TrimRight(s, " "))
		for s = rest; ; s = rest { // (5)
			led := trimLeader(s) // (3)
			reply = reply || len(led) < len(strings.TrimLeft(s, " "))
			if rest = trimBlob(led); rest == s { // (4)
				break
			}
		}
		inner, ok := cutForwarded(s) // (6)
		if !ok {
			return s, reply
		}
		s, reply = inner, true
	}
}

// isFold reports what becomes a single space, folding included.
func isFold(r rune) bool { return r == ' ' || r == '\t' || r == '\r' || r == '\n' }

// trimTrailer removes any number of "(fwd)" from the end.
func trimTrailer(s string) string {
	for {
		s = strings.TrimRight(s, " ")
		rest, ok := cutSuffixFold(s, "(fwd)")
		if !ok {
			return s
		}
		s = rest
	}
}

// trimLeader removes one "re:" or "fwd:", with what lists put before and into it.
func trimLeader(s string) string {
	s = strings.TrimLeft(s, " ")
	rest := s
	for {
		after, ok := cutBlob(rest)
		if !ok {
			break
		}
		rest = after
	}
	for _, word := range []string{"re", "fwd", "fw"} {
		after, ok := cutPrefixFold(rest, word)
		if !ok {
			continue
		}
		after = strings.TrimLeft(after, " ")
		if inner, ok := cutBlob(after); ok {
			after = inner
		}
		if base, ok := strings.CutPrefix(after, ":"); ok {
			return base
		}
	}
	return s
}

// trimBlob removes one "[…]" from the beginning, unless nothing else is there.
func trimBlob(s string) string {
	if rest, ok := cutBlob(s); ok && rest != "" {
		return rest
	}
	return s
}

func cutBlob(s string) (rest string, ok bool) {
	if !strings.HasPrefix(s, "[") {
		return s, false
	}
	end := strings.IndexAny(s[1:], "[]") + 1
	if end == 0 || s[end] != ']' {
		return s, false
	}
	return strings.TrimLeft(s[end+1:], " "), true
}

// cutForwarded removes "[fwd: …]" from around a subject.
func cutForwarded(s string) (inner string, ok bool) {
	inner, ok = cutPrefixFold(s, "[fwd:")
	if !ok || !strings.HasSuffix(inner, "]") {
		return s, false
	}
	return strings.TrimSuffix(inner, "]"), true
}

func cutPrefixFold(s, prefix string) (rest string, ok bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

func cutSuffixFold(s, suffix string) (rest string, ok bool) {
	n := len(s) - len(suffix)
	if n < 0 || !strings.EqualFold(s[n:], suffix) {
		return s, false
	}
	return s[:n], true
}
