package mime

import (
	"fmt"
	"math/rand/v2"
	stdmime "mime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// node is what the reference splitter finds of a part.
type node struct {
	Type                   string
	HeaderStart, Body, End int
	Lines                  int
	Parts                  []*node
}

// The reference splitter works on the whole text and from the outside in: an outer delimiter ends whatever is inside.
// It knows no limits, and no boundaries that begin like others. limit is where the delimiter that ends the part begins
// and eol the length of the line end before it.
func refPart(text string, start, limit, eol int, digest bool) *node {
	n := &node{HeaderStart: start, Body: limit}
	at := start
	for at < limit {
		next := at + lineLen(text[at:limit])
		if line := text[at:next]; line == "\r\n" || line == "\n" {
			n.Body = next
			break
		}
		at = next
	}
	header := text[start:min(at, limit)]
	typ, params := refType(header, digest)
	n.Type = typ
	n.End = max(n.Body, limit-eol)
	switch {
	case n.Type == "message/rfc822":
		n.Parts = []*node{refPart(text, n.Body, limit, eol, false)}
	case strings.HasPrefix(n.Type, "multipart/"):
		n.Parts = refParts(text, n.Body, limit, eol, params["boundary"], n.Type == "multipart/digest")
	}
	if k := len(n.Parts); k > 0 {
		n.End = max(n.End, n.Parts[k-1].End)
	}
	body := text[n.Body:n.End]
	n.Lines = strings.Count(body, "\n")
	if body != "" && !strings.HasSuffix(body, "\n") {
		n.Lines++
	}
	if strings.HasPrefix(n.Type, "multipart/") && len(n.Parts) == 0 {
		n.Parts = []*node{{"text/plain", n.Body, n.Body, n.End, n.Lines, nil}}
	}
	return n
}

func refType(header string, digest bool) (string, map[string]string) {
	for _, line := range strings.SplitAfter(header, "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(name, "content-type") {
			t, params, err := stdmime.ParseMediaType(strings.TrimSpace(value))
			if err != nil {
				panic(err)
			}
			return t, params
		}
	}
	if digest {
		return "message/rfc822", nil
	}
	return "text/plain", nil
}

func refParts(text string, body, limit, eol int, boundary string, digest bool) []*node {
	var parts []*node
	begin, lastEOL := -1, 0
	end := func(limit, eol int) {
		if begin >= 0 {
			parts = append(parts, refPart(text, begin, limit, eol, digest))
		}
	}
	for at := body; at < limit; {
		next := at + lineLen(text[at:limit])
		line := text[at:next]
		switch strings.TrimRight(strings.TrimRight(line, "\r\n"), " \t") {
		case "--" + boundary:
			end(at, lastEOL)
			begin = next
		case "--" + boundary + "--":
			end(at, lastEOL)
			return parts
		}
		lastEOL = len(line) - len(strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"))
		if !strings.HasSuffix(line, "\n") {
			lastEOL = 0
		}
		at = next
	}
	end(limit, eol)
	return parts
}

func lineLen(s string) int {
	if i := strings.IndexByte(s, '\n'); i >= 0 {
		return i + 1
	}
	return len(s)
}

func toNode(p *Part) *node {
	n := &node{p.Type + "/" + p.Subtype, int(p.HeaderStart), int(p.BodyStart), int(p.End), int(p.Lines), nil}
	for _, q := range p.Parts {
		n.Parts = append(n.Parts, toNode(q))
	}
	return n
}

// generator writes random messages that are mostly, but not always, well formed.
type generator struct {
	*rand.Rand
	b          strings.Builder
	boundaries int
}

func (g *generator) pick(list ...string) string { return list[g.IntN(len(list))] }

func (g *generator) eol() string {
	if g.IntN(12) == 0 {
		return "\n"
	}
	return "\r\n"
}

func (g *generator) line(s string) { g.b.WriteString(s + g.eol()) }

// entity writes header and body of a part.
func (g *generator) entity(depth int) {
	g.line(g.pick("Subject: x", "X-Folded: a\r\n b", "no colon here", "-: dash", "--dashes"))
	kind := g.IntN(6)
	if depth > 5 {
		kind = 0
	}
	switch kind {
	case 1, 2:
		g.multipart(depth)
		return
	case 3:
		g.line("Content-Type: message/rfc822")
		if g.IntN(8) > 0 {
			g.line("")
		}
		g.entity(depth + 1)
		return
	case 4:
		g.line("Content-Type: text/html; charset=utf-8")
	}
	if g.IntN(8) > 0 {
		g.line("")
	}
	g.text()
}

func (g *generator) text() {
	for range g.IntN(4) {
		g.line(g.pick("", "text", "-", "--", "--b", "--bX", "--b0", "\r", "a\rb", "- -", "--b1--x", "\x00", "ü", "a\r"))
	}
	g.b.WriteString(g.pick("", "no end", "-", "--b"))
}

func (g *generator) multipart(depth int) {
	b := fmt.Sprintf("b%d-%d", g.boundaries, g.Uint32())
	g.boundaries++
	g.line(fmt.Sprintf("Content-Type: multipart/%s; boundary=\"%s\"", g.pick("mixed", "digest"), b))
	g.line("")
	g.text()
	for range g.IntN(4) {
		g.line(g.pick("", "x\r\n") + "--" + b + g.pick("", " ", "\t "))
		g.entity(depth + 1)
		g.line("")
	}
	if g.IntN(6) > 0 {
		g.line("--" + b + "--" + g.pick("", " "))
		g.text()
	}
}

func TestWalkAgainstReference(t *testing.T) {
	t.Parallel()
	for seed := range uint64(800) {
		g := generator{Rand: rand.New(rand.NewPCG(seed, 1))}
		g.entity(0)
		text := g.b.String()
		m, rec := walkAll(t, text, Options{})
		if d := cmp.Diff(toNode(m.Root), refPart(text, 0, len(text), 0, false)); d != "" {
			t.Fatalf("seed %d: %q (-got +want):\n%s", seed, text, d)
		}
		checkSeen(t, text, m, rec)
		if seed < 8 {
			checkCuts(t, text, Options{})
		}
	}
}
