package main

import (
	"github.com/restante/restante/internal/listen"
	"github.com/restante/restante/mta"
)

// origins are what other relays can be made to prove, by the words of
// policy.inbound_auth.
var origins = map[string]mta.Origin{"dkim": mta.OriginDKIM, "dmarc": mta.OriginDMARC, "off": mta.OriginUnchecked}

// takeIn says what mail from other relays must be like.
func (r *relay) takeIn(o *mta.Options) error {
	resolver, err := openResolver(&r.cfg.DNS)
	if err != nil {
		return err
	}
	o.Origin, o.Resolver, o.ClientIP = origins[r.cfg.Policy.InboundAuth], resolver, listen.ClientIP
	return nil
}
