package web_test

import (
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// walk calls f for each node of a page.
func (a answer) walk(tb testing.TB, f func(*html.Node)) {
	tb.Helper()
	root, err := html.Parse(strings.NewReader(a.body))
	if err != nil {
		tb.Fatal(err)
	}
	for n := range root.Descendants() {
		f(n)
	}
}

func attr(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

// inner returns the text inside a node, its spaces squeezed.
func inner(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode && d.Parent.Data != "style" {
			b.WriteString(d.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// text returns what a visitor reads, or the body if it is no page.
func (a answer) text() string {
	root, err := html.Parse(strings.NewReader(a.body))
	if err != nil {
		return a.body
	}
	return inner(root)
}

// form returns the fields of the form with that action as the page has filled them
// in, as a browser without JavaScript would send them.
func (a answer) form(tb testing.TB, action string) url.Values {
	tb.Helper()
	var found url.Values
	a.walk(tb, func(n *html.Node) {
		if to, _ := attr(n, "action"); n.Data != "form" || to != action || found != nil {
			return
		}
		found = url.Values{}
		for d := range n.Descendants() {
			name, ok := attr(d, "name")
			if kind, _ := attr(d, "type"); !ok || d.Type != html.ElementNode || kind == "checkbox" || kind == "file" {
				continue
			}
			value, _ := attr(d, "value")
			if d.Data == "textarea" {
				value = inner(d)
			}
			found.Set(name, value)
		}
	})
	if found == nil {
		tb.Fatalf("the page has no form for %s:\n%s", action, a.text())
	}
	return found
}

// secrets returns what the page shows once, by the term before it.
func (a answer) secrets(tb testing.TB) map[string]string {
	tb.Helper()
	list := map[string]string{}
	term := ""
	a.walk(tb, func(n *html.Node) {
		class, _ := attr(n, "class")
		switch {
		case n.Data == "dt":
			term = inner(n)
		case class == "secret":
			list[term] = inner(n)
		}
	})
	return list
}

// link returns the first link whose target begins with prefix.
func (a answer) link(tb testing.TB, prefix string) string {
	tb.Helper()
	found := ""
	a.walk(tb, func(n *html.Node) {
		if to, _ := attr(n, "href"); found == "" && strings.HasPrefix(to, prefix) {
			found = to
		}
	})
	if found == "" {
		tb.Fatalf("the page has no link to %s", prefix)
	}
	return found
}
