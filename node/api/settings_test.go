package api

import (
	"reflect"
	"testing"

	"starling/node/api/safetext"
)

// TestApply: each field of a change arrives in the field of its name, and one that is not
// there changes nothing. Name and Bridge are left to the node.
func TestApply(t *testing.T) {
	fields := reflect.TypeFor[SettingsChange]()
	for i := range fields.NumField() {
		name := fields.Field(i).Name
		var change SettingsChange
		value := reflect.New(fields.Field(i).Type.Elem())
		switch value.Elem().Kind() {
		case reflect.Bool:
			value.Elem().SetBool(true)
		case reflect.Int:
			value.Elem().SetInt(7)
		default:
			value.Elem().SetString("seven")
		}
		reflect.ValueOf(&change).Elem().Field(i).Set(value)

		before := Settings{Name: safetext.Line("Ada"), Bridge: "20443", Theme: "auto", Open: "b0b"}
		got, want := before, before
		change.Apply(&got)
		if name != "Name" && name != "Bridge" {
			reflect.ValueOf(&want).Elem().FieldByName(name).Set(value.Elem())
		}
		if got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}
