// Package storetest holds every engine to the contract mailbox.Store: each
// sentence of the contract is a case here.
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) mailbox.Store { … open a new store … })
//	}
//
// An engine that has a method CheckConsistency(context.Context) error is asked
// for its findings at the end of each case.
package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/restante/restante/mailbox"
)

// testCase is one behaviour of the contract.
type testCase struct {
	name string
	run  func(e *env)
}

// Run runs every case, each on a store of its own that open makes. The cases run
// in parallel, and close their stores.
func Run(t *testing.T, open func(t *testing.T) mailbox.Store) {
	runAll(t, allCases(), open)
}

// RunBodies runs the cases in which large bodies have a part, for an engine that has
// several places for them.
func RunBodies(t *testing.T, open func(t *testing.T) mailbox.Store) {
	runAll(t, slices.Concat(bodyCases, copyCases, replaceCases, queueCases), open)
}

func runAll(t *testing.T, cases []testCase, open func(t *testing.T) mailbox.Store) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, open(t))
			c.run(e)
			e.finish()
		})
	}
}

func allCases() []testCase {
	var all []testCase
	for _, group := range [][]testCase{
		accountCases, addressCases, hiddenCases, credentialCases, treeCases, nameCases, acceptCases, refuseCases, dedupCases,
		queueCases, leaseCases, bodyCases, changeCases, messageCases, pageCases, flagCases, copyCases, expungeCases,
		replaceCases, metadataCases, rotateCases,
		watchCases, lifeCases, houseCases, censusCases, concurrentCases, randomCases,
	} {
		all = append(all, group...)
	}
	return all
}

// RunReopen runs the cases that close a store and open it again. Of what open
// returns, each call opens the same store.
func RunReopen(t *testing.T, open func(t *testing.T) func() mailbox.Store) {
	for _, c := range reopenCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			again := open(t)
			e := newEnv(t, again())
			e.reopen = again
			c.run(e)
			e.finish()
		})
	}
}

// checker is what an engine can do besides.
type checker interface {
	CheckConsistency(ctx context.Context) error
}

// env is a case under way.
type env struct {
	*testing.T
	ctx    context.Context
	s      mailbox.Store
	reopen func() mailbox.Store
	closed bool
}

func newEnv(t *testing.T, s mailbox.Store) *env {
	return &env{T: t, ctx: t.Context(), s: s}
}

// finish checks and closes the store, unless the case did.
func (e *env) finish() {
	e.Helper()
	if e.closed {
		return
	}
	if c, ok := e.s.(checker); ok {
		e.must(c.CheckConsistency(e.ctx))
	}
	e.must(e.s.Close())
}

// again closes the store and opens it anew.
func (e *env) again() {
	e.Helper()
	e.must(e.s.Close())
	e.s = e.reopen()
}

func (e *env) must(err error) {
	e.Helper()
	if err != nil {
		e.Fatal(err)
	}
}

func (e *env) wantErr(err, want error) {
	e.Helper()
	if !errors.Is(err, want) {
		e.Fatalf("got error %v, want %v", err, want)
	}
}
