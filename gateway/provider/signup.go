package provider

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/internal/pause"
)

const (
	maxAnswer   = 64 << 10         // bytes of an answer to a sign-up
	longestWait = 10 * time.Minute // that a relay may ask for
	signUpTries = 3
)

// SignUp makes an account. Where the relay asks to wait, it waits and tries again, a
// few times. Who calls it must keep the Login before anything else: nobody can show
// the password again.
func (f Finder) SignUp(ctx context.Context, s SignUp) (Login, error) {
	if s.URL == "" {
		return firstLogin(s.Host)
	}
	ticket := ""
	for try := 1; ; try++ {
		answer, err := f.post(ctx, s, ticket)
		if err != nil {
			return Login{}, fmt.Errorf("sign up: %w", err)
		}
		if answer.Email != "" {
			return answer.login()
		}
		wait := time.Duration(answer.Wait) * time.Second
		if answer.Ticket == "" || wait < 0 || wait > longestWait || try == signUpTries {
			return Login{}, fmt.Errorf("sign up: the relay refused: %s", answer.Reason)
		}
		ticket = answer.Ticket
		if err := f.wait(ctx, wait); err != nil {
			return Login{}, err
		}
	}
}

// firstLogin invents an account, which the first login will make, as Delta Chat does.
func firstLogin(host string) (Login, error) {
	a, err := addr.Parse(strings.ToLower(rand.Text()[:9]) + "@" + host)
	if err != nil {
		return Login{}, badCode("its host is none")
	}
	return Login{Address: a, Password: rand.Text()}, nil
}

// newAccount is a relay's answer, as chatmail relays give it, and what ours add.
type newAccount struct {
	Email    string `json:"email"`
	Password string `json:"password"`
	LoginURL string `json:"dclogin_url"`
	Reason   string `json:"reason"`
	Ticket   string `json:"ticket"` // good for an account after Wait seconds
	Wait     int    `json:"wait"`
}

func (f Finder) post(ctx context.Context, s SignUp, ticket string) (newAccount, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, nil)
	if err != nil {
		return newAccount{}, err
	}
	if s.Token != "" {
		req.Header.Set("Authorization", "Bearer "+s.Token)
	}
	if ticket != "" {
		req.Header.Set("X-Restante-PoW", ticket)
	}
	resp, err := f.Client.Do(req)
	if err != nil {
		return newAccount{}, hideURL(err)
	}
	defer resp.Body.Close()
	var answer newAccount
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&answer); err != nil {
		return newAccount{}, fmt.Errorf("the server does not answer as a relay does (%s): is the link right?", resp.Status)
	}
	if resp.StatusCode/100 != 2 {
		answer.Email = ""
		if answer.Reason == "" {
			answer.Reason = resp.Status
		}
	}
	return answer, nil
}

func (n newAccount) login() (Login, error) {
	if n.LoginURL != "" {
		if code, err := Parse(n.LoginURL); err == nil && code.Login != nil {
			return *code.Login, nil
		}
	}
	a, err := addr.Parse(n.Email)
	if err != nil || n.Password == "" {
		return Login{}, errors.New("sign up: the relay's answer has no address or no password")
	}
	return Login{Address: a, Password: n.Password}, nil
}

func (f Finder) wait(ctx context.Context, d time.Duration) error {
	if f.Wait != nil {
		return f.Wait(ctx, d)
	}
	return pause.For(ctx, d)
}
