package qrsvg

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"rsc.io/qr"
)

var svgRun = regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1h-(\d+)z`)

// TestQRCode paints the path again and compares it with the code.
func TestQRCode(t *testing.T) {
	t.Parallel()
	const text = "dclogin:joe@example.org?p=secret&v=1"
	svg, err := Draw(text, `a "label" & more`)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(svg), `aria-label="a &#34;label&#34; &amp; more"`) {
		t.Errorf("the label is not escaped: %.100s", svg)
	}
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		t.Fatal(err)
	}
	painted := map[[2]int]bool{}
	for _, m := range svgRun.FindAllStringSubmatch(string(svg), -1) {
		x, _ := strconv.Atoi(m[1])
		y, _ := strconv.Atoi(m[2])
		width, _ := strconv.Atoi(m[3])
		if m[3] != m[4] {
			t.Errorf("a run goes %s to the right and %s back", m[3], m[4])
		}
		for i := range width {
			painted[[2]int{x + i, y}] = true
		}
	}
	for y := -quietZone; y < code.Size+quietZone; y++ {
		for x := -quietZone; x < code.Size+quietZone; x++ {
			if got, want := painted[[2]int{x + quietZone, y + quietZone}], code.Black(x, y); got != want {
				t.Fatalf("module %d, %d is black: %v, want %v", x, y, got, want)
			}
		}
	}
}

func TestQRCodeTooLong(t *testing.T) {
	t.Parallel()
	if _, err := Draw(strings.Repeat("x", 5000), ""); err == nil {
		t.Error("a text that is too long was drawn")
	}
}
