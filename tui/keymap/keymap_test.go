package keymap

import "testing"

func TestTable(t *testing.T) {
	m := Default()
	for _, a := range m.All() {
		if a.ID == "" || a.Name == "" || a.Group == "" || len(a.Keys) == 0 || a.In == 0 {
			t.Errorf("%+v: an action has an id, a name, a group, a key and a place", a)
		}
		for _, key := range a.Keys {
			// A letter in the composer is a letter.
			if a.In&Composer != 0 && len(key) == 1 {
				t.Errorf("%s: %q cannot be typed any more", a.ID, key)
			}
		}
	}
}

func TestConflictIsRefused(t *testing.T) {
	_, err := New([]Action{
		{ID: "a", Keys: []string{"x"}, In: Lists},
		{ID: "b", Keys: []string{"x"}, In: Messages},
	})
	if err == nil {
		t.Error("a key with two meanings is accepted")
	}
}

func TestPaletteHasEachActionOnce(t *testing.T) {
	seen := map[ID]bool{}
	for _, a := range Default().Palette() {
		if seen[a.ID] {
			t.Errorf("%s is there twice", a.ID)
		}
		seen[a.ID] = true
	}
	if !seen[Verify] || seen[Up] {
		t.Errorf("verify %v, up %v", seen[Verify], seen[Up])
	}
}

func TestLookup(t *testing.T) {
	m := Default()
	if id, ok := m.Lookup(Messages, "r"); !ok || id != Reply {
		t.Errorf("r in messages is %q", id)
	}
	if id, ok := m.Lookup(Composer, "r"); ok {
		t.Errorf("r in the composer is %q", id)
	}
}
