// Package qrsvg draws QR codes for the inside of a page: no image has to be loaded, and
// none is left in a cache.
package qrsvg

import (
	"fmt"
	"html/template"
	"strings"

	"rsc.io/qr"
)

// quietZone is the white around a QR code, in modules (ISO/IEC 18004, 5.3.8).
const quietZone = 4

// Draw draws a text as a QR code in SVG. The label is what a screen reader says. It is
// black on white in dark pages too, since not every camera reads the inverse. A text of
// more than 2,331 bytes is an error.
func Draw(text, label string) (template.HTML, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return "", fmt.Errorf("draw QR code: %w", err)
	}
	size := code.Size + 2*quietZone
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="qr" role="img" aria-label="%s" viewBox="0 0 %d %d" shape-rendering="crispEdges">`,
		template.HTMLEscapeString(label), size, size)
	fmt.Fprintf(&b, `<path fill="#fff" d="M0 0h%dv%dH0z"/><path fill="#000" d="`, size, size)
	for y := range code.Size {
		writeRow(&b, code, y)
	}
	b.WriteString(`"/></svg>`)
	return template.HTML(b.String()), nil // made of numbers and an escaped label
}

// writeRow draws the black runs of a row as rectangles of a path.
func writeRow(b *strings.Builder, code *qr.Code, y int) {
	for x := 0; x < code.Size; x++ {
		if !code.Black(x, y) {
			continue
		}
		start := x
		for x < code.Size && code.Black(x, y) {
			x++
		}
		fmt.Fprintf(b, "M%d %dh%dv1h-%dz", start+quietZone, y+quietZone, x-start, x-start)
	}
}
