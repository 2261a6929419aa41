package vault

// Notify calls f after each change of a record, with its kind, until stop is called. f
// must return at once, and not change the vault. There is one f at a time.
func (v *Vault) Notify(f func(kind string)) (stop func()) {
	v.changed.Store(&f)
	return func() { v.changed.CompareAndSwap(&f, nil) }
}

func (v *Vault) notify(kind string) {
	if f := v.changed.Load(); f != nil {
		(*f)(kind)
	}
}
