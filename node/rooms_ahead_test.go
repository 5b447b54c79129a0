package node

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"starling/node/api"
	"starling/node/nettest"
)

// ahead returns the texts that came ahead at somebody.
func (h *hall) ahead(u *user) (texts []string) {
	h.t.Helper()
	all, err := u.History(h.t.Context(), api.HistoryRequest{Contact: h.id, Ahead: true})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, m := range all {
		if !m.Ahead || m.Sequence != 0 || m.Room != h.id || m.From.IsZero() {
			h.t.Errorf("ahead: %+v", m)
		}
		texts = append(texts, m.Text.String())
	}
	return texts
}

// TestRoomAhead: mailboxes hand over the newest entries first. Whoever comes back reads these at once, behind all that
// has its place; nothing of it is stored, read or told as new. Then everything is shown once, in its order.
func TestRoomAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := nettest.New(5)
		ada, bob, eve := newUser(t, net, "Ada"), newUser(t, net, "Bob"), newUser(t, net, "Eve")
		defer func() { ada.shutdown(); bob.shutdown(); eve.shutdown() }()
		h := founded(t, ada, "the pier")
		h.joins(ada, bob, eve)
		h.says(ada, "before")
		h.hears(eve, 1)
		unread := h.room(eve).Unread
		eve.shutdown()

		const texts = 200
		want := []string{"Ada: before"}
		for i := range texts {
			u := []*user{ada, bob}[i%2]
			h.says(u, fmt.Sprint("text ", i))
			want = append(want, fmt.Sprintf("%s: text %d", u.name, i))
			h.hears(ada, i+2)
			h.hears(bob, i+2)
		}
		back, err := bob.Send(t.Context(), api.SendRequest{Contact: h.id, Text: "not meant"})
		if err != nil {
			t.Fatal(err)
		}
		h.hears(ada, texts+2)
		if err := bob.Delete(t.Context(), api.DeleteRequest{Messages: []string{back.ID}, Both: true}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		bob.shutdown()
		ada.shutdown()

		net.Set(nettest.Settings{Older: 40 * time.Second})
		began := time.Now()
		eve.start()
		h.waits(eve, "the newest", func(r api.Room) bool { return r.Ahead > 0 && r.Missing > 0 })
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("the newest after %v", took)
		}
		time.Sleep(2 * time.Second)
		ahead := h.ahead(eve)
		if n := len(ahead); n < 2 || ahead[n-1] != fmt.Sprint("text ", texts-1) || !slices.IsSorted(numbers(ahead)) {
			t.Errorf("ahead: %q", ahead)
		}
		if r := h.room(eve); r.Missing < texts/2 || r.Missing > 2*texts || r.Unread != unread {
			t.Errorf("%d missing, %d unread", r.Missing, r.Unread)
		}
		if got := h.heard(eve); !slices.Equal(got, want[:1]) {
			t.Errorf("in its place: %q", got)
		}
		eve.restart()
		h.waits(eve, "the newest again", func(r api.Room) bool { return r.Ahead > 0 })

		got := h.hears(eve, len(want))
		if !slices.Equal(got[:len(want)], want) {
			t.Errorf("in the end: %q", got)
		}
		h.waits(eve, "nothing more ahead", func(r api.Room) bool { return r.Ahead == 0 && r.Missing == 0 })
		if all := h.ahead(eve); len(all) > 0 {
			t.Errorf("ahead in the end: %q", all)
		}
	})
}

// numbers returns the numbers at the ends of texts.
func numbers(texts []string) (all []int) {
	for _, text := range texts {
		n, _ := strconv.Atoi(text[strings.LastIndexByte(text, ' ')+1:])
		all = append(all, n)
	}
	return all
}

// BenchmarkRoomWeek is the part of the node in a return to 800 messages of two members: what it costs to take them, with the
// newest first, over a network that takes no time.
func BenchmarkRoomWeek(b *testing.B) {
	const texts = 800
	for range b.N {
		net := nettest.New(5)
		ada, bob, eve := newUser(b, net, "Ada"), newUser(b, net, "Bob"), newUser(b, net, "Eve")
		h := founded(b, ada, "the pier")
		h.joins(ada, bob, eve)
		eve.shutdown()
		for i := range texts {
			h.says([]*user{ada, bob}[i%2], fmt.Sprint("text ", i))
		}
		eventually(b, "all is said", func() bool { return h.room(ada).Unsent == 0 && h.room(bob).Unsent == 0 })
		ada.shutdown()
		bob.shutdown()
		net.Set(nettest.Settings{Older: 5 * time.Second})
		began := time.Now()
		eve.start()
		h.waits(eve, "the newest", func(r api.Room) bool { return r.Ahead > 0 })
		b.ReportMetric(time.Since(began).Seconds(), "newest-s")
		for h.room(eve).Unread < texts {
			time.Sleep(100 * time.Millisecond)
		}
		b.ReportMetric((time.Since(began)-5*time.Second).Seconds()*1000/texts, "ms/message")
		eve.shutdown()
	}
}
