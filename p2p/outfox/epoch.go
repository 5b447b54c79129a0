package outfox

import "time"

// EpochLength is how long one key is the current one. A hop accepts the keys of
// the epochs before, now and after, so a packet or a reply block lives at least
// one EpochLength after it was made.
const EpochLength = 24 * time.Hour

// Epoch numbers the unix days. Packets carry Byte of it.
type Epoch uint32

// EpochAt returns the epoch of a time.
func EpochAt(t time.Time) Epoch { return Epoch(t.Unix() / int64(EpochLength/time.Second)) }

// Byte returns what a packet carries.
func (e Epoch) Byte() byte { return byte(e) }

// Start returns when the epoch begins.
func (e Epoch) Start() time.Time {
	return time.Unix(int64(e)*int64(EpochLength/time.Second), 0).UTC()
}

// End returns when the next epoch begins.
func (e Epoch) End() time.Time { return (e + 1).Start() }

// Resolve returns which of the accepted epochs e-1, e and e+1 a packet means.
func (e Epoch) Resolve(b byte) (Epoch, bool) {
	for _, x := range [3]Epoch{e, e - 1, e + 1} {
		if x.Byte() == b {
			return x, true
		}
	}
	return 0, false
}
