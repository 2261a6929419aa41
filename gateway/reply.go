package gateway

import (
	"errors"
	"strings"

	"github.com/emersion/go-smtp"

	"github.com/restante/restante/mailbox"
)

// replies says which error of a submission becomes which answer to the user's mail
// client. It is the only place where errors become SMTP.
var replies = []struct {
	err   error
	reply smtp.SMTPError
}{
	{errSender, smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "The sender must be the address of this account, or an identity of it: choose it in the mail client"}},
	{errEncrypted, smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "This mail is encrypted already: turn OpenPGP off for this account in the mail client, the gateway does it"}},
	{errMalformed, smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: "The header of this mail can't be read"}},
	{errNobody, smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 5, 1}, Message: "The mail has no recipient"}},
	{ErrNoGroup, smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "Nothing was sent: " + ErrNoGroup.Error()}},
	{errMixed, smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "Nothing was sent: " + errMixed.Error()}},
	{ErrLinks, smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "Nothing was sent: " + ErrLinks.Error()}},
	{ErrEnded, smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "Nothing was sent: " + ErrEnded.Error()}},
	{errAlone, smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "Nothing was sent: " + errAlone.Error()}},
	{errAddress, smtp.SMTPError{Code: 553, EnhancedCode: smtp.EnhancedCode{5, 1, 3}, Message: "This is no mail address"}},
	{errLogin, smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "Log in first, with the password that the gateway has shown"}},
	{mailbox.ErrAuth, smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "Wrong user name or password: they are the ones that the gateway has shown, not those of the provider"}},
	{mailbox.ErrThrottled, smtp.SMTPError{Code: 454, EnhancedCode: smtp.EnhancedCode{4, 7, 0}, Message: "Too many wrong passwords, try again later"}},
	{mailbox.ErrBusy, smtp.SMTPError{Code: 454, EnhancedCode: smtp.EnhancedCode{4, 7, 0}, Message: "Busy, try again later"}},
	{ErrNoIdentity, smtp.SMTPError{Code: 454, EnhancedCode: smtp.EnhancedCode{4, 7, 0}, Message: ErrNoIdentity.Error()}},
}

// maxReplyLine keeps the lines of an answer within what clients must read (RFC 5321,
// 4.5.3.1.5: 512 octets), with room for the codes.
const maxReplyLine = 400

// replyLines breaks a long answer into lines at blanks. The engine puts the enhanced
// code on the last one only, and RFC 2034, 4, wants it on each.
func replyLines(code, text string) string {
	var lines []string
	for len(text) > maxReplyLine {
		at := strings.LastIndexByte(text[:maxReplyLine], ' ')
		if at <= 0 {
			at = maxReplyLine
		}
		lines = append(lines, code+text[:at])
		text = strings.TrimPrefix(text[at:], " ")
	}
	return strings.Join(append(lines, text), "\n")
}

// replyUnknown is the answer to what is not foreseen: it tells nothing, and the mail
// client keeps the mail.
var replyUnknown = smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "Something went wrong in the gateway: its log says more"}

// replyTo returns the answer to an error, and whether it was foreseen. Answers of
// the engine itself, which it gives when a client is too slow or sends too much, are
// passed on.
func replyTo(err error) (*smtp.SMTPError, bool) {
	var missing *Unsendable
	if errors.As(err, &missing) {
		return &smtp.SMTPError{Code: 523, EnhancedCode: smtp.EnhancedCode{5, 7, 10}, Message: replyLines("5.7.10 ", missing.Error())}, true
	}
	for _, r := range replies {
		if errors.Is(err, r.err) {
			return &r.reply, true
		}
	}
	var engine *smtp.SMTPError
	if errors.As(err, &engine) {
		return engine, true
	}
	return &replyUnknown, false
}
