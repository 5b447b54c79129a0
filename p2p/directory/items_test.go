package directory

import "testing"

// BenchmarkInvent is the cost of the descriptor of an invented relay to its inventor,
// with all its keys.
func BenchmarkInvent(b *testing.B) {
	for n := 0; b.Loop(); n++ {
		newRelay(b, n).sign(b)
	}
}

// BenchmarkParse is its cost to a hearer.
func BenchmarkParse(b *testing.B) {
	raw := newRelay(b, 1).sign(b)
	for b.Loop() {
		if _, err := Parse(raw); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAnswer is the cost of a request for the list of 1,000 relays: one frame
// brings as many pages as may be asked for.
func BenchmarkAnswer(b *testing.B) {
	now := start
	d := at(&now, false)
	for n := range 1000 {
		if err := d.Add(newRelay(b, n).sign(b)); err != nil {
			b.Fatal(err)
		}
	}
	pages := 0
	for b.Loop() {
		pages = 0
		d.Answer(Request{Nonce: 1, Pages: MaxPages}, func(p *Page) bool {
			p.Append(nil)
			pages++
			return pages < MaxPages
		})
	}
	b.ReportMetric(float64(pages), "pages")
}
