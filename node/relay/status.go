package relay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"time"

	"github.com/gofrs/flock"

	"starling/p2p"
)

// statusFile holds the state of a running relay, as the relay knows it. It is there
// while the relay runs, and perhaps after a crash: readers look at the lock first.
const statusFile = "relay.status"

const (
	// The relay is looked at so often; the file is never older than writeEvery.
	lookEvery  = 2 * time.Second
	writeEvery = 20 * time.Second
	// stale is how old it is when the relay does not run as it should.
	stale = 2 * time.Minute

	maxStatus = 256 << 10
)

// Status is a running relay's knowledge of itself: its standing with others, by their
// word, and its room.
type Status struct {
	Listed    bool   `json:"listed"`    // most of those asked list it
	Reachable bool   `json:"reachable"` // enough of those asked have reached it
	PeerID    string `json:"peer_id"`
	// Announced are the addresses that the relay signs, Listening those it listens
	// on, Unreached those at which no other relay finds it.
	Announced []string `json:"announced"`
	Listening []string `json:"listening"`
	Unreached []string `json:"unreached"`
	// Asked is the number of other relays with a recent answer about this one; ListedBy
	// and ReachedBy are the peer ids of those that list it, and of those that have
	// reached it.
	Asked     int      `json:"asked"`
	ListedBy  []string `json:"listed_by"`
	ReachedBy []string `json:"reached_by"`

	Relays     int `json:"relays_known"`
	Neighbours int `json:"neighbours"` // relays with a connection
	Links      int `json:"links"`
	// Clients and Boxes are taken of so many places.
	Clients      int `json:"clients"`
	ClientPlaces int `json:"client_places"`
	Boxes        int `json:"boxes"`
	BoxPlaces    int `json:"box_places"`
	// ClockAhead is by how many seconds this computer's clock is ahead of the others'
	// time; ClockKnown: two of them agree.
	ClockKnown bool  `json:"clock_known"`
	ClockAhead int64 `json:"clock_ahead"`

	BytesIn      int64            `json:"bytes_in"`
	BytesOut     int64            `json:"bytes_out"`
	Refused      map[string]int64 `json:"refused"`
	AllowPrivate bool             `json:"allow_private"`
	Started      time.Time        `json:"started"`
	Written      time.Time        `json:"written"`
	Version      string           `json:"version"`
}

// Reasons why there is no status to read.
var (
	ErrNotRunning = errors.New("no relay runs here")
	ErrStarting   = errors.New("the relay that runs has not said yet how it is")
	ErrSilent     = errors.New("the relay that runs has not said for minutes how it is")
)

// ReadStatus returns the status of the running relay of a state folder.
func ReadStatus(stateDir string, now time.Time) (s Status, err error) {
	if !Running(stateDir) {
		return s, ErrNotRunning
	}
	f, err := os.Open(filepath.Join(stateDir, statusFile))
	if errors.Is(err, fs.ErrNotExist) {
		return s, ErrStarting
	}
	if err != nil {
		return s, err
	}
	defer f.Close()

	b, err := io.ReadAll(io.LimitReader(f, maxStatus))
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return Status{}, fmt.Errorf("what the relay says is damaged: %w", err)
	}
	if now.Sub(s.Written) > stale {
		return s, ErrSilent
	}
	return s, nil
}

// Running reports whether a relay runs on a state folder.
func Running(stateDir string) bool {
	path := filepath.Join(stateDir, lockFile)
	if _, err := os.Lstat(path); err != nil {
		return false // and none is made by asking
	}
	lock := flock.New(path)
	got, err := lock.TryLock()
	if got {
		lock.Unlock()
	}
	return err == nil && !got
}

// A keeper writes the state of a relay to its file.
type keeper struct {
	config  Config
	look    func() p2p.RelayStatus
	started time.Time
	last    Status // as it was written
}

// newKeeper makes a keeper that has written once.
func newKeeper(c Config, look func() p2p.RelayStatus) *keeper {
	k := &keeper{config: c, look: look, started: time.Now()}
	k.write()
	return k
}

// run writes until ctx ends, and removes the file.
func (k *keeper) run(ctx context.Context) {
	defer os.Remove(filepath.Join(k.config.StateDir, statusFile))
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			k.write()
		}
	}
}

// write writes when there is news, and now and then.
func (k *keeper) write() {
	s := statusOf(k.config, k.look(), k.started)
	if s.Written.Sub(k.last.Written) < writeEvery && reflect.DeepEqual(s.standing(), k.last.standing()) {
		return
	}
	if err := writeStatus(filepath.Join(k.config.StateDir, statusFile), s); err == nil {
		k.last = s
	} else if k.config.Logger != nil {
		k.config.Logger.Warn("what starling relay status would say is not written", "err", err)
	}
}

// standing is the part of a status that is written at once when it changes.
func (s Status) standing() Status {
	return Status{Listed: s.Listed, Reachable: s.Reachable, Announced: s.Announced, Listening: s.Listening,
		Unreached: s.Unreached, Asked: s.Asked, ListedBy: s.ListedBy, ReachedBy: s.ReachedBy, Relays: s.Relays,
		ClockKnown: s.ClockKnown, ClockAhead: s.ClockAhead}
}

func statusOf(c Config, s p2p.RelayStatus, started time.Time) Status {
	list := func(all []string) []string { return append([]string{}, all...) } // never null
	return Status{
		Listed: s.Listed, Reachable: s.Reachable, PeerID: s.PeerID,
		Announced: list(s.Announced), Listening: list(s.Addrs), Unreached: list(s.Unreached),
		Asked: s.Asked, ListedBy: list(s.ListedBy), ReachedBy: list(s.ReachedBy),
		Relays: s.Relays, Neighbours: s.Neighbours, Links: s.Links,
		Clients: s.Clients, ClientPlaces: s.ClientPlaces, Boxes: s.Boxes, BoxPlaces: s.BoxPlaces,
		ClockKnown: s.ClockKnown, ClockAhead: int64(s.ClockAhead.Round(time.Second) / time.Second),
		BytesIn: s.BytesIn, BytesOut: s.BytesOut, Refused: s.Refused, AllowPrivate: c.AllowPrivate,
		Started: started, Written: time.Now(), Version: c.Version,
	}
}

// writeStatus replaces the file at once, readable for its owner only.
func writeStatus(path string, s Status) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}

	// One name: the rest of a crash is written over.
	draft := path + ".new"
	os.Remove(draft)
	f, err := os.OpenFile(draft, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(draft, path)
	}
	if err != nil {
		os.Remove(draft)
	}
	return err
}
