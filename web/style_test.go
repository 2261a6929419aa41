package web

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"
)

// TestContrast holds the colours of both palettes to WCAG 2.2, 1.4.3 and 1.4.11.
func TestContrast(t *testing.T) {
	t.Parallel()
	css, err := files.ReadFile("static/style.css")
	if err != nil {
		t.Fatal(err)
	}
	light, dark, found := strings.Cut(string(css), "prefers-color-scheme: dark")
	if !found {
		t.Fatal("there is no dark palette")
	}
	pairs := []struct {
		front, ground string
		least         float64
	}{
		{"text", "ground", 4.5}, {"text", "sheet", 4.5}, {"quiet", "ground", 4.5}, {"quiet", "sheet", 4.5},
		{"link", "ground", 4.5}, {"link", "sheet", 4.5}, {"button-text", "button", 4.5},
		{"alert", "alert-ground", 4.5}, {"alert", "ground", 4.5}, {"good", "good-ground", 4.5},
		{"quiet", "sheet", 3}, {"button", "ground", 3}, // borders and surfaces of controls
	}
	for name, palette := range map[string]map[string]float64{"light": luminances(t, light), "dark": luminances(t, dark)} {
		for _, p := range pairs {
			got := contrast(palette[p.front], palette[p.ground])
			if math.IsNaN(got) || got < p.least {
				t.Errorf("%s: %s on %s has a contrast of %.2f, want %.1f", name, p.front, p.ground, got, p.least)
			}
		}
	}
}

var colour = regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6});`)

// luminances returns the relative luminance of each colour that a palette defines.
func luminances(t *testing.T, css string) map[string]float64 {
	t.Helper()
	list := map[string]float64{}
	for _, m := range colour.FindAllStringSubmatch(css, -1) {
		var r, g, b int
		if _, err := fmt.Sscanf(m[2], "%02x%02x%02x", &r, &g, &b); err != nil {
			t.Fatal(err)
		}
		if _, twice := list[m[1]]; !twice {
			list[m[1]] = 0.2126*linear(r) + 0.7152*linear(g) + 0.0722*linear(b)
		}
	}
	if len(list) < 12 {
		t.Fatalf("a palette has %d colours", len(list))
	}
	return list
}

func linear(c int) float64 {
	v := float64(c) / 255
	if v <= 0.04045 {
		return v / 12.92
	}
	return math.Pow((v+0.055)/1.055, 2.4)
}

func contrast(a, b float64) float64 { return (max(a, b) + 0.05) / (min(a, b) + 0.05) }
