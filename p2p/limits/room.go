package limits

// MakeRoom deletes one of a map's entries, drawn at random, for one that comes: of those that
// are near it if there are mostNear, else of all if there are most. A nil near counts no
// neighbours.
func MakeRoom[K comparable, V any](m map[K]V, most int, near func(V) bool, mostNear int) {
	var neighbours []K
	if near != nil {
		for k, v := range m {
			if near(v) {
				neighbours = append(neighbours, k)
			}
		}
	}

	switch {
	case near != nil && len(neighbours) >= mostNear:
		delete(m, neighbours[0]) // maps are walked in a random order
	case len(m) >= most:
		for k := range m {
			delete(m, k)
			return
		}
	}
}
