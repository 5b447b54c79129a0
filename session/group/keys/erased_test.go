package keys

import (
	"reflect"
	"testing"

	"starling/session/internal/kdf"
)

// secrets collects all keys in somebody's memory.
func secrets(v reflect.Value, found map[[kdf.Size]byte]bool) {
	switch v.Kind() {
	case reflect.Array:
		if v.Len() == kdf.Size && v.Type().Elem().Kind() == reflect.Uint8 {
			var b [kdf.Size]byte
			for i := range b {
				b[i] = byte(v.Index(i).Uint())
			}
			found[b] = true
			return
		}
		for i := range v.Len() {
			secrets(v.Index(i), found)
		}
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			secrets(v.Elem(), found)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			secrets(v.Field(i), found)
		}
	case reflect.Slice:
		for i := range v.Len() {
			secrets(v.Index(i), found)
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			secrets(it.Key(), found)
			secrets(it.Value(), found)
		}
	}
}

// TestErased: F2b. Seed, μ, e, K and all nodes above a used leaf are nowhere in memory, the chain keys that were
// used neither; m, n and place go with Forget, the rest of the tree with ForgetList.
func TestErased(t *testing.T) {
	r := newRoom(t, 2)
	made, sealed := r.make(0, 0, 1)
	one := r.people[1]
	id := made.ID(group)

	// What is to be erased, computed beside the package.
	plain, err := one.leaf.open(infoOf(kdf.RoomSeed, group, id, r.to(1)), sealed[one.id])
	if err != nil {
		t.Fatal(err)
	}
	seed := [kdf.Size]byte(plain[:32])
	mu := derive(kdf.RoomChain, seed, id)
	place := derive(kdf.RoomPlace, seed, id)
	var e, m, n, root [kdf.Size]byte
	kdf.Derive(kdf.RoomGeneration, nil, mu[:], e[:], m[:], n[:])
	l := List{{id, 0}}
	full := l.hash()
	kdf.Derive(kdf.RoomRoot, full[:], e[:], root[:])
	copied := root
	taken, _ := newTree(l, full, &copied).find(r.people[0].id)
	leaf := taken.chain
	message, next := step(leaf)

	held := func() map[[kdf.Size]byte]bool {
		found := map[[kdf.Size]byte]bool{}
		secrets(reflect.ValueOf(one.keys), found)
		return found
	}
	absent := func(when string, keys map[string][kdf.Size]byte) {
		t.Helper()
		here := held()
		for name, k := range keys {
			if here[k] {
				t.Errorf("%s: %s is still there", when, name)
			}
		}
	}

	r.open(1, made, sealed)
	absent("opened", map[string][kdf.Size]byte{"seed": seed, "mu": mu, "e": e})
	if here := held(); !here[root] || !here[m] || !here[n] || !here[place] {
		t.Fatal("the test does not see what is there")
	}
	r.hears(0, 1)
	absent("used", map[string][kdf.Size]byte{"seed": seed, "mu": mu, "e": e, "K": root, "leaf": leaf, "message key": message})
	if !held()[next] {
		t.Error("the chain does not go on")
	}
	r.rekey(0, 0, 1)
	if retired := one.keys.Retired(); len(retired) != 1 || retired[0] != id {
		t.Fatal("retired:", retired)
	}
	one.keys.Forget(one.keys.Heads()[0])
	r.hears(0, 1)
	one.keys.Forget(id)
	absent("forgotten", map[string][kdf.Size]byte{"m": m, "n": n, "place": place})
	one.keys.ForgetList(l.Digest())
	absent("list forgotten", map[string][kdf.Size]byte{"chain": next})
	if one.keys.Expect(l) == nil || len(one.keys.lists[l.Digest()]) > 0 {
		t.Error("the list is made again")
	}
}
