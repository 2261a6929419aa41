package web

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/web/token"
)

// Outcomes of this package. What a person is told of them stands in outcomes.
var (
	errClosed      = errors.New("sign-up is closed")
	errTokenNeeded = errors.New("sign-up needs a token")
	errTicket      = errors.New("not a ticket of ours")
	errTicketOld   = errors.New("the ticket has expired")
	errTicketUsed  = errors.New("the ticket was redeemed")
	errName        = errors.New("not a name for an address")
	errReserved    = errors.New("the name is reserved")
	errPassword    = errors.New("not a good password")
	errTwoTypings  = errors.New("the two passwords differ")
	errForm        = errors.New("the form can't be read")
	errNotOwner    = errors.New("a device password manages nothing")
	errVisit       = errors.New("logged out")
	errOutdated    = errors.New("the page is out of date")
	errNotSure     = errors.New("deleting was not confirmed")
	errCert        = errors.New("not a certificate")
	errCertAddress = errors.New("not a certificate of this account")
	errCertTaken   = errors.New("a certificate of another address")
	errPrivateKey  = errors.New("a private key")
	errLastAddress = errors.New("an account's last address")
	errDays        = errors.New("not a number of days")
	errNotFound    = errors.New("no such page")
	errCrossSite   = errors.New("sent from another site")
)

// earlyError is a ticket that is not ready yet.
type earlyError struct {
	ticket string
	left   time.Duration
	bits   int
	never  bool // only work makes it good
}

func (e *earlyError) Error() string { return "the ticket is not ready" }

// outcome is how an error is told: the HTTP status (RFC 9110, 15), and a sentence
// for a person that says what to do.
type outcome struct {
	err  error
	code int
	text string
}

// outcomes has the answer to every error that a request can end with. It is the
// one place where errors become HTTP.
var outcomes = []outcome{
	// The domain's outcomes.
	{mailbox.ErrAuth, http.StatusForbidden, "The address or the password is wrong. Look for a typing error and try again."},
	{mailbox.ErrThrottled, http.StatusTooManyRequests, "Too many tries of late. Wait a few minutes, then try again."},
	{mailbox.ErrBusy, http.StatusServiceUnavailable, "The relay is busy. Try again in a minute."},
	{mailbox.ErrDisabled, http.StatusForbidden, "This account is disabled. Ask the operator of the relay."},
	{mailbox.ErrNoAccount, http.StatusForbidden, "The address or the password is wrong. Look for a typing error and try again."},
	{mailbox.ErrExists, http.StatusConflict, "This name is taken. Choose another one."},
	{mailbox.ErrName, http.StatusUnprocessableEntity, "This can't be used: it is too long, has characters that can't be seen, or is a password that only the relay makes."},
	{mailbox.ErrLimit, http.StatusConflict, "There are as many of these as an account can have. Remove one first."},
	{mailbox.ErrGone, http.StatusConflict, "This was changed elsewhere at the same moment. Look again, then repeat it if it is still needed."},
	{mailbox.ErrFull, http.StatusServiceUnavailable, "The relay has no room at the moment. Try again later."},
	{mailbox.ErrUnknown, http.StatusServiceUnavailable, "It may or may not have happened. Look, then try again."},
	{mailbox.ErrClosed, http.StatusServiceUnavailable, "The relay is shutting down. Try again in a minute."},

	// No outcomes of anything a page does: if one comes here, the fault is ours.
	{mailbox.ErrRefused, http.StatusInternalServerError, ""},
	{mailbox.ErrNoMailbox, http.StatusInternalServerError, ""},
	{mailbox.ErrMayNot, http.StatusInternalServerError, ""},
	{mailbox.ErrInbox, http.StatusInternalServerError, ""},
	{mailbox.ErrHasChildren, http.StatusInternalServerError, ""},
	{mailbox.ErrOverQuota, http.StatusInternalServerError, ""},
	{mailbox.ErrTooLarge, http.StatusInternalServerError, ""},
	{mailbox.ErrCorrupt, http.StatusInternalServerError, ""},

	// Signing up.
	{errClosed, http.StatusForbidden, "Nobody can sign up here. Ask the operator of the relay for an account."},
	{errTokenNeeded, http.StatusForbidden, "Signing up needs a token here. Ask the operator of the relay for one."},
	{token.ErrFormat, http.StatusUnprocessableEntity, "This is not a whole token. Copy all of it: it begins with restante-token-1-."},
	{token.ErrInvalid, http.StatusForbidden, "This token was not issued by this relay, or so long ago that it is not taken any more."},
	{token.ErrSpent, http.StatusForbidden, "This token was used already. Each one is good for one account."},
	{errTicket, http.StatusBadRequest, "The form has come back incomplete. Here is a new one."},
	{errTicketOld, http.StatusForbidden, "The form was open for too long, or many others came in between. Here is a new one."},
	{errTicketUsed, http.StatusForbidden, "An address was made with this form already. Here is a new one."},
	{errName, http.StatusUnprocessableEntity, "A name has 3 to 32 of the characters a to z, 0 to 9, dot, hyphen and underscore, and begins with a letter or digit."},
	{errReserved, http.StatusUnprocessableEntity, "This name is for the operator of the relay. Choose another one."},

	// The account page.
	{errPassword, http.StatusUnprocessableEntity, "A password of your own needs at least 12 characters. Leave it empty and the relay makes a good one."},
	{errTwoTypings, http.StatusUnprocessableEntity, "The new password was typed in two ways. Nothing was changed."},
	{errNotOwner, http.StatusForbidden, "This is a device password. It reads and sends mail; to manage the account, log in with the account's own password."},
	{errVisit, http.StatusForbidden, "You were logged out, after ten minutes of quiet or because the password was changed. Log in again."},
	{errOutdated, http.StatusConflict, "That page was out of date, so nothing was done. This is how things are now."},
	{errNotSure, http.StatusUnprocessableEntity, "Tick the box to confirm that everything is to be deleted. Nothing was deleted."},
	{errCert, http.StatusUnprocessableEntity, "This is not an OpenPGP certificate (public key) that others can encrypt to. Nothing was published."},
	{errCertAddress, http.StatusUnprocessableEntity, "This certificate is not for this address. Add the address to it, then publish it again."},
	{errCertTaken, http.StatusConflict, "This certificate is published under another address. If two addresses had the same one, everybody could tell that they are yours: make a key of its own for each."},
	{errLastAddress, http.StatusConflict, "This is the account's last address. Add another one first, or delete the account."},
	{errDays, http.StatusUnprocessableEntity, "A term is a number of days from 1 to 3650, or nothing for the relay's own. Those before it were kept."},
	{errPrivateKey, http.StatusUnprocessableEntity, "This is a private key. It was not kept, but never give it to anyone: export the public key, and publish that."},

	// The request itself.
	{errForm, http.StatusBadRequest, "The form could not be read. Go back and try again."},
	{errNotFound, http.StatusNotFound, "There is no such page."},
	{errCrossSite, http.StatusForbidden, "The form was sent from another site. Open this page itself, and try again."},
	{context.Canceled, http.StatusServiceUnavailable, "The request was broken off. Try again."},
	{context.DeadlineExceeded, http.StatusServiceUnavailable, "The relay is busy. Try again in a minute."},
}

// A status is what a person is told of an error.
type status struct {
	code  int
	text  string
	retry time.Duration // when to come back; 0 says nothing
}

// statusOf says how to tell err. One that is not known, or is our own fault, is
// told by a number that the log explains.
func (s *Server) statusOf(err error) status {
	var early *earlyError
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &early) && early.never:
		return status{code: http.StatusTooManyRequests, retry: s.o.Signup.o.Limits.MaxWait,
			text: "Too many people are waiting. Come back later, or use a browser with JavaScript: it works in place of waiting."}
	case errors.As(err, &early):
		return status{code: http.StatusTooManyRequests, retry: early.left,
			text: fmt.Sprintf("Not yet: %s to go. This form keeps your place, so wait and press the button again.", seconds(early.left))}
	case errors.As(err, &large):
		return status{code: http.StatusRequestEntityTooLarge, text: "This is larger than anything that belongs here."}
	}
	for _, o := range outcomes {
		if errors.Is(err, o.err) && o.text != "" {
			st := status{code: o.code, text: o.text}
			if errors.Is(err, mailbox.ErrThrottled) {
				st.retry = retryThrottled
			}
			return st
		}
	}
	id := fmt.Sprintf("%08x", rand.Uint32())
	s.o.Log.Error("request failed", "reference", id, "error", err)
	return status{code: http.StatusInternalServerError, text: "Something went wrong here. The operator finds it in the log under " + id + "."}
}

// retryThrottled is when to come back after ErrThrottled.
const retryThrottled = 5 * time.Minute

// seconds writes a wait for a person.
func seconds(d time.Duration) string {
	n := int((d + time.Second - 1) / time.Second)
	switch {
	case n == 1:
		return "one second"
	case n < 120:
		return fmt.Sprintf("%d seconds", n)
	}
	return fmt.Sprintf("%d minutes", (n+59)/60)
}
