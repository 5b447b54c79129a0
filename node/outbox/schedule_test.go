package outbox

import (
	"container/heap"
	"testing"

	"starling/node/api"
	"starling/node/store"
)

// Contents of one moment leave in the order in which they were written, however often
// they are looked at and put off.
func TestOneMoment(t *testing.T) {
	o := New(Config{})
	const n = 200
	for i := range n {
		o.add(store.Item{ID: store.ID{1, byte(i)}, Kind: 2, State: api.StateSealed, Cells: []store.Cell{{Tag: store.Tag{byte(i)}}}}, nil)
	}
	for range 3 {
		var all []*entry
		for i := range n {
			e := heap.Pop(&o.order).(*entry)
			if int(e.ID[1]) != i {
				t.Fatalf("%d comes in place of %d", e.ID[1], i)
			}
			all = append(all, e)
		}
		for i := range all {
			o.lookAt(all[n-1-i], all[0].at)
		}
	}
}
