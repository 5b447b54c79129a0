package plot

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
)

// texts reads a chart as XML and returns the texts in it.
func texts(t *testing.T, chart []byte) (all []string) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(chart))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("not XML: %v\n%s", err, chart)
		}
		if text, ok := token.(xml.CharData); ok {
			all = append(all, string(text))
		}
	}
}

const hostile = `</text><script>alert("1")</script> & 'x' ` + "\x00\x1b"

func charts(title string) map[string][]byte {
	return map[string][]byte{
		"distribution": Distribution(title, Axis{title, "ms"}, []float64{1, 2, 2, 900}, Mark{2, title}, Mark{900, title}),
		"curves":       Curves(title, Axis{title, "s"}, Axis{title, ""}, []Series{{title, []float64{0, 1}, []float64{1, 2}}}, title, []Mark{{1, title}}),
		"bars":         Bars(title, Axis{title, "KiB"}, []string{title}, []Bar{{title, []float64{3}}}),
		"strips":       Strips(title, Axis{title, "s"}, "KiB/s", []float64{0, 1, 2}, []Strip{{title, []float64{0, 3}}, {title, []float64{1, 2}}}),
		"no strips":    Strips(title, Axis{}, "", nil, nil),
		"empty":        Distribution(title, Axis{}, nil),
		"no bars":      Bars(title, Axis{}, nil, nil),
		"no curves":    Curves(title, Axis{}, Axis{}, nil, title, nil),
	}
}

func TestTextIsEscaped(t *testing.T) {
	for name, chart := range charts(hostile) {
		for _, bad := range []string{"<script", "\x00", "\x1b", `("1")`} {
			if bytes.Contains(chart, []byte(bad)) {
				t.Errorf("%s: %q is not escaped", name, bad)
			}
		}
		if all := strings.Join(texts(t, chart), ""); !strings.Contains(all, `<script>alert("1")</script> & 'x'`) {
			t.Errorf("%s: the text is not there: %s", name, all)
		}
	}
}

func TestNoNumberIsNonsense(t *testing.T) {
	for name, chart := range charts("x") {
		for _, bad := range []string{"NaN", "Inf", "%!"} {
			if bytes.Contains(chart, []byte(bad)) {
				t.Errorf("%s: %s in %s", name, bad, chart)
			}
		}
	}
}

func TestNiceStep(t *testing.T) {
	for _, tt := range []struct {
		span float64
		n    int
		want float64
	}{{10, 5, 2}, {11, 5, 5}, {100, 10, 10}, {0.7, 7, 0.1}, {3, 40, 0.1}, {0, 5, 1}, {math.NaN(), 5, 1}, {math.Inf(1), 5, 1}, {60, 10, 10}, {70, 10, 10}} {
		if got := niceStep(tt.span, tt.n); math.Abs(got-tt.want) > 1e-9 {
			t.Errorf("niceStep(%v, %d) = %v, want %v", tt.span, tt.n, got, tt.want)
		}
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.1 + 0.2: "0.3", 1200: "1200", 123456: "123456", 2.5: "2.5"} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %q, want %q", v, got, want)
		}
	}
}

func TestNamesDoNotTouch(t *testing.T) {
	var bars []Bar
	for range 300 {
		bars = append(bars, Bar{"relay", []float64{1}})
	}
	chart := Bars("x", Axis{}, []string{"in"}, bars)
	if n := bytes.Count(chart, []byte("tick middle")); n < 5 || n > 20 {
		t.Errorf("%d names under 300 bars", n)
	}
}

// TestDrawnOutsideBrowsers: each element has its colour as an attribute, since few
// programs read variables or style sheets.
func TestDrawnOutsideBrowsers(t *testing.T) {
	for name, chart := range charts("x") {
		if bytes.Contains(chart, []byte("var(")) {
			t.Errorf("%s has variables", name)
		}
		d := xml.NewDecoder(bytes.NewReader(chart))
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			start, ok := token.(xml.StartElement)
			want := map[string]string{"text": "fill", "rect": "fill", "line": "stroke", "polyline": "stroke"}[start.Name.Local]
			if err != nil || !ok || want == "" {
				continue
			}
			colour := ""
			for _, a := range start.Attr {
				if a.Name.Local == want {
					colour = a.Value
				}
			}
			if !strings.HasPrefix(colour, "#") {
				t.Errorf("%s: %s has %s %q", name, start.Name.Local, want, colour)
			}
		}
	}
}
