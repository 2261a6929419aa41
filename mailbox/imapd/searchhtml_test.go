package imapd

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestVisible(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, html, want string }{
		{"text", "plain", "plain"},
		{"in a word", "w<b>or</b>d", "word"},
		{"references", "caf&eacute; &#x41;&amp;B", "café A&B"},
		{"blocks", "<p>one</p><p>two<br/>three<td>four", "\none\n\ntwo\nthree\nfour"},
		{"not shown", "a<style>p { x }</style>b<script>if (a < b) c()</script>d<!-- e -->f", "a\n\nb\n\ndf"},
		{"unfinished", "a<b", "a"},
		{"unknown elements", "a<o:p>b</o:p>c", "a\nb\nc"},
		{"nothing", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := io.ReadAll(newVisible(iotest.OneByteReader(strings.NewReader(test.html))))
			if err != nil || string(got) != test.want {
				t.Errorf("got %q, %v, want %q", got, err, test.want)
			}
		})
	}
}

// TestVisibleTooLong: a tag without end takes no more memory than it may, and is no error.
func TestVisibleTooLong(t *testing.T) {
	t.Parallel()
	endless := io.MultiReader(strings.NewReader("seen <a href='"), strings.NewReader(strings.Repeat("x", 2*maxHTMLToken)), iotest.ErrReader(io.ErrUnexpectedEOF))
	got, err := io.ReadAll(newVisible(endless))
	if err != nil || string(got) != "seen " {
		t.Errorf("got %.20q, %v", got, err)
	}
	if _, err := io.ReadAll(newVisible(iotest.ErrReader(io.ErrClosedPipe))); err != io.ErrClosedPipe {
		t.Errorf("an error of the message becomes %v", err)
	}
}

// FuzzVisible: text without markup is what is seen of it.
func FuzzVisible(f *testing.F) {
	f.Add("<p>a</p>b")
	f.Add("no markup at all")
	f.Fuzz(func(t *testing.T, html string) {
		got, err := io.ReadAll(newVisible(strings.NewReader(html)))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.ContainsAny(html, "<&\r\x00") && string(got) != html {
			t.Errorf("of %q is seen %q", html, got)
		}
	})
}
