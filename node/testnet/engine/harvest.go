package engine

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"

	"starling/node/testnet/scenario"
	"starling/p2p/directory"
)

// Bootstraps is how many relays a newcomer is told of.
const Bootstraps = 3

// streamHarvest is the draws of a censor.
const streamHarvest = 100

// Told returns the relays that users are told of when they first start, while all run.
func Told(s *scenario.Scenario) (relays []int) {
	for u := range s.Users {
		for j := range Bootstraps {
			if r := (u + j) % s.Listed(); !slices.Contains(relays, r) {
				relays = append(relays, r)
			}
		}
	}
	slices.Sort(relays)
	return relays
}

// Harvest is what Harvest of an [Engine] does, for one that learns the list of relays as a
// newcomer does. address is that of a relay.
func Harvest(e Engine, s *scenario.Scenario, fraction float64, first bool, learn func() ([]*directory.Descriptor, error), address func(relay int) string) ([]int, error) {
	if first {
		told := Told(s)
		return told, e.Block(told)
	}

	list, err := learn()
	if err != nil {
		return nil, err
	}
	found, err := harvested(s, fraction, list, address)
	if err != nil {
		return nil, err
	}
	return found, e.Block(found)
}

// harvested returns the fraction that a censor blocks of the relays in a newcomer's list.
func harvested(s *scenario.Scenario, fraction float64, list []*directory.Descriptor, address func(relay int) string) (relays []int, err error) {
	at := map[string]int{}
	for i := range s.Relays {
		at[address(i)] = i
	}
	for _, d := range list {
		for _, a := range d.Addresses {
			if i, ok := at[a.Addr().Unmap().String()]; ok && !slices.Contains(relays, i) {
				relays = append(relays, i)
			}
		}
	}
	if len(relays) == 0 {
		return nil, errors.New("the censor learns of no relay")
	}

	slices.Sort(relays)
	draw := rand.New(rand.NewPCG(s.Seed, streamHarvest))
	draw.Shuffle(len(relays), func(i, j int) { relays[i], relays[j] = relays[j], relays[i] })
	relays = relays[:int(math.Round(fraction*float64(len(relays))))]
	slices.Sort(relays)
	return relays, nil
}
