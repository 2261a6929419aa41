package web

import (
	"context"
	"net/http"
	"strconv"

	"github.com/restante/restante/mailbox"
)

// The actions of the account page on what comes in, and how long it stays.

// block adds a sender to those whose mail is refused.
func block(_ *Server, r *http.Request, v *visit) (report, error) {
	if err := v.session.Block(r.Context(), r.PostFormValue("sender")); err != nil {
		return report{}, err
	}
	return report{Done: "Mail from this sender is refused from now on."}, nil
}

func unblock(_ *Server, r *http.Request, v *visit) (report, error) {
	if err := v.session.Unblock(r.Context(), r.PostFormValue("sender")); err != nil {
		return report{}, err
	}
	return report{Done: "Mail from this sender is taken again."}, nil
}

// setDays takes the owner's own terms, a field for each mailbox.
func setDays(_ *Server, r *http.Request, v *visit) (report, error) {
	terms, err := v.session.MailboxTerms(r.Context())
	if err != nil {
		return report{}, err
	}
	for _, t := range terms {
		text := r.PostFormValue("days-" + strconv.FormatInt(int64(t.Mailbox), 10))
		days := 0
		if text != "" {
			if days, err = strconv.Atoi(text); err != nil || days < 0 || days > mailbox.MaxDays {
				return report{}, errDays
			}
		}
		if days == t.Own {
			continue
		}
		if err := v.session.SetMailboxDays(r.Context(), t.Mailbox, days); err != nil {
			return report{}, err
		}
	}
	return report{Done: "The terms are kept. What is older goes within the hour."}, nil
}

// A termLine is how long mail stays in one mailbox.
type termLine struct {
	ID, Name, Relay, Own string
}

// A senderLine is one blocked sender.
type senderLine struct {
	ID, Sender string
}

// keeping lists blocked senders and terms.
func keeping(ctx context.Context, x *mailbox.Session) (senders []senderLine, terms []termLine, err error) {
	blocked, err := x.BlockedSenders(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, b := range blocked {
		senders = append(senders, senderLine{b.ID, b.Sender})
	}
	list, err := x.MailboxTerms(ctx)
	for _, t := range list {
		line := termLine{ID: strconv.FormatInt(int64(t.Mailbox), 10), Name: t.Name, Relay: "for ever"}
		if t.Relay > 0 {
			line.Relay = strconv.Itoa(t.Relay) + " days"
		}
		if t.Own > 0 {
			line.Own = strconv.Itoa(t.Own)
		}
		terms = append(terms, line)
	}
	return senders, terms, err
}
