package group

// Last returns the name of the content that we said last: others give it as a cause.
func (r *Room) Last() Ref { return r.ear.mine }
