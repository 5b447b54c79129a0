package scenario

import (
	"errors"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"starling/node/testnet/world"
)

func (s *Scenario) readWorld(t table, places []table) {
	w := &World{
		File:   t.text("table", ""),
		Jitter: t.duration("jitter", 0, 0, 10*time.Second),
		Bursts: world.Bursts{Enter: t.number("burst_enter", 0, 0, 1), Leave: t.number("burst_leave", 0.1, 0.0001, 1), Loss: t.number("burst_loss", 0.5, 0, 1)},
	}
	t.end()
	if s.Link != (Link{}) {
		t.fail("", "a scenario has either a world or a link")
	}
	for _, p := range places {
		w.readPlace(p, s)
	}
	if w.File == "" {
		w.Table = world.BuiltIn()
		if err := s.checkRegions(w); err != nil && t.r.err == nil {
			t.r.err = err
		}
	} else if !filepath.IsAbs(w.File) {
		w.File = filepath.Join(filepath.Dir(s.File), w.File)
	}
	s.World = w
}

func (w *World) readPlace(t table, s *Scenario) {
	p := Place{
		Regions: t.texts("regions", maxArgs), Link: t.text("link", ""), Up: t.number("up", 0, 0.01, 100_000), Down: t.number("down", 0, 0.01, 100_000),
		Relays: t.indexes("relays", s.Relays), Fraction: t.number("fraction", 0, 0, 1),
		Users: t.indexes("users", s.Users), UserPart: t.number("user_fraction", 0, 0, 1), path: t.path,
	}
	t.end()
	switch {
	case p.Link != "" && !slices.Contains(world.Links(), p.Link):
		t.fail("link", "there is no link %q; there are %s", p.Link, strings.Join(world.Links(), ", "))
	case t.has("relays") && p.Fraction > 0 || t.has("users") && p.UserPart > 0:
		t.fail("", "a place has either relays or a fraction of them, and either users or a user_fraction of them")
	case !t.has("relays") && !t.has("users") && p.Fraction == 0 && p.UserPart == 0:
		t.fail("", "nobody is at this place: there are relays, fraction, users and user_fraction")
	}
	w.Places = append(w.Places, p)
}

// checkRegions returns why a place is in no region of the table.
func (s *Scenario) checkRegions(w *World) error {
	for _, p := range w.Places {
		for _, r := range p.Regions {
			if !slices.Contains(w.Table.Regions, r) {
				return s.errorf(p.path+".regions", "there is no region %q; there are %s", r, strings.Join(w.Table.Regions, ", "))
			}
		}
	}
	return nil
}

// Load reads the files that a scenario names, and looks for its programs.
func (s *Scenario) Load() error {
	if w := s.World; w != nil && w.Table == nil {
		text, err := readSome(w.File, world.MaxTable+1)
		if where := (*fs.PathError)(nil); errors.As(err, &where) {
			err = where.Err
		}
		if err == nil {
			w.Table, err = world.ParseTable(text)
		}
		if err != nil {
			return s.errorf("world.table", "table %s: %v", w.File, err)
		}
		if err := s.checkRegions(w); err != nil {
			return err
		}
	}
	return s.FindPrograms()
}

// readSome reads the beginning of a regular file.
func readSome(path string, most int64) ([]byte, error) {
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, errors.New("not a file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most))
}

// machines draws where everybody is: relays, and then users and newcomers.
func (b *planner) machines() ([]world.Machine, error) {
	w := b.s.World
	if w == nil {
		return nil, nil
	}
	if w.Table == nil {
		return nil, b.s.errorf("world.table", "the table is not loaded")
	}

	// A stream of its own: a place more moves no message and no churn.
	random := rand.New(rand.NewPCG(b.s.Seed, streamPlaces))
	all := make([]world.Machine, b.s.Relays+b.s.People())
	for i := range all {
		all[i] = world.Machine{Region: w.Table.Regions[random.IntN(len(w.Table.Regions))], Link: world.Datacentre}
		if i >= b.s.Relays {
			all[i].Link = world.Cable
		}
	}

	// Those of a fraction are drawn among the ones that no place before has taken.
	taken := make([]bool, len(all))
	free := func(from, n int, fraction float64) (drawn []int) {
		for _, i := range random.Perm(n) {
			if !taken[from+i] && len(drawn) < int(math.Round(fraction*float64(n))) {
				drawn = append(drawn, from+i)
			}
		}
		slices.Sort(drawn)
		return drawn
	}
	for _, p := range w.Places {
		here := slices.Clone(p.Relays)
		for _, u := range p.Users {
			here = append(here, b.s.Relays+u)
		}
		here = slices.Concat(here, free(0, b.s.Relays, p.Fraction), free(b.s.Relays, b.s.Users, p.UserPart))
		for n, i := range here {
			m := &all[i]
			if len(p.Regions) > 0 {
				m.Region = p.Regions[n%len(p.Regions)]
			}
			if p.Link != "" {
				m.Link = p.Link
			}
			m.Up, m.Down, taken[i] = p.Up, p.Down, true
		}
	}
	return all, nil
}

// Network returns the network of the scenario's machines, nil if all links are alike.
func (p Plan) Network(s *Scenario) *world.World {
	if s.World == nil {
		return nil
	}
	return world.New(s.World.Table, p.Machines, s.World.Jitter, s.World.Bursts, s.Seed)
}
