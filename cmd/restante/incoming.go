package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/internal/listen"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mta"
)

// origins are what other relays can be made to prove, by the words of
// policy.inbound_auth.
var origins = map[string]mta.Origin{"dkim": mta.OriginDKIM, "dmarc": mta.OriginDMARC, "off": mta.OriginUnchecked}

// takeIn says what mail from other relays must be like.
func (r *relay) takeIn(o *mta.Options) error {
	resolver, err := openResolver(r.cfg)
	if err != nil {
		return err
	}
	p := &r.cfg.Policy
	o.OwnersClear = r.ownersClear()
	o.Origin, o.Resolver, o.ClientIP = origins[p.InboundAuth], resolver, listen.ClientIP
	if p.Operator == "" {
		return nil
	}
	o.OperatorClear = p.OperatorCleartext
	o.Operator, err = addr.Parse(p.Operator)
	if err != nil {
		return fmt.Errorf("policy.operator: %w", err)
	}
	return nil
}

// ownersClear reports whether owners may take mail from outside in clear.
func (r *relay) ownersClear() bool { return r.cfg.Policy.Encryption == "inbound-optional" }

// missOperator says so in the log when nobody reads what comes for postmaster.
func (r *relay) missOperator(ctx context.Context) {
	if r.ports["mx"] == nil {
		return
	}
	if r.cfg.Policy.Operator == "" {
		r.log.Warn("mail for postmaster and abuse is refused: name an account for it with policy.operator")
		return
	}
	if _, err := r.service.FindAccount(ctx, r.cfg.Policy.Operator); errors.Is(err, mailbox.ErrNoAccount) {
		r.log.Warn("mail for postmaster and abuse is refused: make the account that policy.operator names, with restante account new")
	}
}

// deliverHTTPS takes mail over HTTPS, if it is taken from other relays at all.
func (r *relay) deliverHTTPS() func(http.ResponseWriter, *http.Request, net.Conn) {
	if r.cfg.Listen.MX.Address == "" {
		return nil
	}
	return r.smtp.TakeHTTPS
}
