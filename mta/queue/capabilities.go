package queue

import (
	"strconv"
	"strings"
)

// capabilities are what a server said to EHLO: parameters by keyword, both in
// upper case (RFC 5321, 2.4 and 4.1.1.1: case does not matter).
type capabilities map[string][]string

// parseCapabilities reads the lines of a reply to EHLO. The first is the
// server's name.
func parseCapabilities(lines []string) capabilities {
	caps := capabilities{}
	for _, line := range lines[min(1, len(lines)):] {
		words := strings.Fields(strings.ToUpper(line))
		if len(words) > 0 {
			caps[words[0]] = words[1:]
		}
	}
	return caps
}

func (c capabilities) has(keyword string) bool {
	_, ok := c[keyword]
	return ok
}

// maxSize returns the largest message that the server takes (RFC 1870), or 0 if
// it sets no limit.
func (c capabilities) maxSize() int64 {
	for _, p := range c["SIZE"] {
		if n, err := strconv.ParseInt(p, 10, 64); err == nil && n > 0 {
			return n
		}
	}
	return 0
}

// maxRecipients returns how many recipients one transaction may have: what the
// server says (RFC 9422, 4.2), or else the 100 that each has to take (RFC 5321,
// 4.5.3.1.8).
func (c capabilities) maxRecipients() int {
	for _, p := range c["LIMITS"] {
		name, value, _ := strings.Cut(p, "=")
		if n, err := strconv.Atoi(value); name == "RCPTMAX" && err == nil && n > 0 {
			return min(n, maxBatch)
		}
	}
	return maxBatch
}

// maxBatch is how many recipients one transaction has at most. Their commands are
// one write, and their replies have to fit into what a connection holds while
// nobody reads.
const maxBatch = 100

// mechanism reports whether the server takes a SASL mechanism.
func (c capabilities) mechanism(name string) bool {
	for _, m := range c["AUTH"] {
		if m == name {
			return true
		}
	}
	return false
}
