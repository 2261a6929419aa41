package web

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/restante/restante/mailbox"
)

// reachPath is where another relay asks whether its ports can be reached from outside,
// which it can't find out by itself.
const reachPath = "/.well-known/restante/reach"

// reachTimeout bounds one attempt to connect.
const reachTimeout = 5 * time.Second

// ReachPorts are the ports that are tried for others: those of mail and of the pages.
var ReachPorts = []int{25, 80, 143, 443, 465, 587, 993}

// reachRate is how often, from everywhere and from one network.
var reachAll, reachNetwork = Rate{Every: time.Second, Burst: 30}, Rate{Every: 20 * time.Second, Burst: 6}

// ReachQuestion names ports of the machine that asks.
type ReachQuestion struct {
	Ports []int `json:"ports"`
}

// ReachAnswer says what became of them. Ports that are not asked after are in neither
// list, and nor are those that are not tried for anybody.
type ReachAnswer struct {
	Address netip.Addr `json:"address"` // who has asked, as seen from here
	Open    []int      `json:"open"`
	Closed  []int      `json:"closed"`
}

// reach connects to ports of the machine that a request comes from, and of no other:
// there is no way to say whose. Nothing is sent on the connections, and nothing of it
// is kept or logged.
func (s *Server) reach(w http.ResponseWriter, r *http.Request) {
	conn, _ := r.Context().Value(connKey{}).(net.Conn)
	if s.o.ClientIP == nil || conn == nil {
		s.notFound(w, r)
		return
	}
	ip, known := s.o.ClientIP(conn)
	if !known || peer(r) == "" { // many come from this address
		s.notFound(w, r)
		return
	}
	var q ReachQuestion
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		s.fail(w, errors.Join(errForm, err))
		return
	}
	if _, ok := s.reaching.reserve(peer(r), s.o.Now(), 0); !ok {
		s.fail(w, mailbox.ErrThrottled)
		return
	}
	ports := slices.DeleteFunc(slices.Compact(slices.Sorted(slices.Values(q.Ports))), func(p int) bool { return !slices.Contains(s.o.ReachPorts, p) })
	writeJSON(w, http.StatusOK, tryPorts(r.Context(), ip, ports))
}

// tryPorts connects to all ports at once.
func tryPorts(ctx context.Context, ip netip.Addr, ports []int) ReachAnswer {
	open := make([]bool, len(ports))
	var tries sync.WaitGroup
	for i, p := range ports {
		tries.Go(func() {
			d := net.Dialer{Timeout: reachTimeout}
			conn, err := d.DialContext(ctx, "tcp", netip.AddrPortFrom(ip, uint16(p)).String())
			if open[i] = err == nil; err == nil {
				conn.Close()
			}
		})
	}
	tries.Wait()
	a := ReachAnswer{Address: ip, Open: []int{}, Closed: []int{}}
	for i, p := range ports {
		if open[i] {
			a.Open = append(a.Open, p)
		} else {
			a.Closed = append(a.Closed, p)
		}
	}
	return a
}
