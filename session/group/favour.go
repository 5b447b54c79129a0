package group

import (
	"maps"
	"time"
)

// An answer to a need or a knock is many cells. So each person has some answers at once, and then one in a
// while: as many as an honest one asks for.
const (
	favours    = 4
	favourRest = 10 * time.Minute
)

// favour says when somebody may be answered. They earn an answer in favourRest, one behind the other; favours
// is when they have all again.
func (d *duty) favour(who ID) time.Time {
	return time.Unix(d.favours[who], 0).Add(-(favours - 1) * favourRest)
}

// favoured counts an answer to somebody.
func (d *duty) favoured(who ID, now time.Time) {
	maps.DeleteFunc(d.favours, func(_ ID, all int64) bool { return all <= now.Unix() })
	d.favours[who] = max(d.favours[who], now.Unix()) + int64(favourRest/time.Second)
}
