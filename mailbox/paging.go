package mailbox

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sort"
)

// A row with its key and its envelope costs ten times as much to read and to open as
// its share of a page. So whoever lists a mailbox has pages made of what he had to
// read by row, in the background, and reads those the next time. Where few messages
// would be of a page, or a client deletes what it has read, there are none.
const (
	// pageLeast is how many messages are worth a page, and how many of a page must
	// be asked for that it is read.
	pageLeast = 16
	// pageWorth is how many messages that might have been of pages a Fetch must have
	// read by row to have pages made. The newest 63 never are of one.
	pageWorth = 128
	// pagesAtOnce is how many pages are read at a time, and added in one transaction.
	pagesAtOnce = 4
)

// pageSoon makes the pages that a mailbox has not got, in the background.
func (own *owner) pageSoon(mbox MailboxID) {
	own.inBackground(func(ctx context.Context) error { return own.pageAll(ctx, mbox) })
}

func (own *owner) pageAll(ctx context.Context, mbox MailboxID) error {
	numbers, err := own.svc.store.Unpaged(ctx, own.id, mbox, pageLeast)
	if err != nil {
		return fmt.Errorf("look for pages to make: %w", err)
	}
	for len(numbers) > 0 && own.svc.ring.inUse(own) {
		some := numbers[:min(pagesAtOnce, len(numbers))]
		numbers = numbers[len(some):]
		if err := own.pageSome(ctx, mbox, some); err != nil {
			return err
		}
	}
	return nil
}

func (own *owner) pageSome(ctx context.Context, mbox MailboxID, numbers []PageNumber) error {
	o := own.newOpener()
	var pages []Page
	for _, n := range numbers {
		p, err := o.page(ctx, mbox, n)
		if errors.Is(err, ErrCorrupt) {
			continue // its messages are read by row, for their owner to see
		}
		if err != nil {
			return fmt.Errorf("make page: %w", err)
		}
		pages = append(pages, p)
	}
	if len(pages) == 0 {
		return nil
	}
	if err := own.svc.store.AddPages(ctx, own.id, mbox, pages); err != nil {
		return fmt.Errorf("add pages: %w", err)
	}
	return nil
}

// page makes a page of the messages that are there.
func (o *opener) page(ctx context.Context, mbox MailboxID, n PageNumber) (Page, error) {
	ms, err := o.own.svc.store.Messages(ctx, o.own.id, mbox, []UIDRange{n.UIDs()}, 1<<PageBits)
	if err != nil {
		return Page{}, err
	}
	content := []byte{pageVersion}
	for i := range ms {
		sealed, data, err := o.open(&ms[i])
		if err != nil {
			return Page{}, err
		}
		content = appendPaged(content, &ms[i], &sealed.DEK, data)
	}
	sealed := o.own.keys.SealPage(int64(mbox), uint32(n), content)
	return Page{Number: n, Messages: len(ms), Sealed: sealed, Generation: o.own.sealer.Generation}, nil
}

// openPage opens a page's messages. Whoever can't can read them by row.
func (o *opener) openPage(mbox MailboxID, p *Page) ([]Item, error) {
	content, err := o.own.keys.OpenPage(int64(mbox), uint32(p.Number), p.Sealed)
	if err != nil {
		return nil, err
	}
	items, err := parsePage(o.own.sealer, mbox, p.Number, content)
	for i := range items {
		items[i].opener = o
	}
	return items, err
}

// worthPaging counts messages that are read by row, in order, and might be of pages.
type worthPaging struct {
	page  PageNumber
	there int // of that page
	count int
}

func (w *worthPaging) add(m *Message) {
	if m.Stage != StageWrapped {
		return
	}
	if n := PageOf(m.UID); n != w.page {
		w.page, w.there = n, 0
	}
	w.there++
	switch {
	case w.there == pageLeast:
		w.count += pageLeast
	case w.there > pageLeast:
		w.count++
	}
}

// densePages finds the first pages, from one on, of which a set asks for so much that
// they are worth reading: a run of them without a gap.
func densePages(set []UIDRange, from PageNumber) (low, high PageNumber, ok bool) {
	if from > PageOf(math.MaxUint32) {
		return 0, 0, false
	}
	for _, r := range after(set, from.UIDs().Low-1) {
		// A range asks for all of the pages between its first and its last.
		for n := PageOf(r.Low); n <= PageOf(r.High) && n <= PageOf(r.Low)+1; n++ {
			if askedOf(set, n) >= pageLeast {
				return n, lastDense(set, n), true
			}
		}
	}
	return 0, 0, false
}

// lastDense returns the last of a run of such pages that begins with n.
func lastDense(set []UIDRange, n PageNumber) PageNumber {
	for {
		i := reaching(set, n.UIDs().High)
		if i < len(set) && set[i].Low <= n.UIDs().High && PageOf(set[i].High) > n {
			n = PageOf(set[i].High) - 1 // all between are asked for
		}
		if n == PageOf(math.MaxUint32) || askedOf(set, n+1) < pageLeast {
			return n
		}
		n++
	}
}

// askedOf returns how many UIDs of a page are in a set.
func askedOf(set []UIDRange, n PageNumber) (count int) {
	page := n.UIDs()
	for i := reaching(set, page.Low); i < len(set) && set[i].Low <= page.High; i++ {
		count += int(min(set[i].High, page.High)-max(set[i].Low, page.Low)) + 1
	}
	return count
}

// reaching returns the index of the first range of an ascending set that ends at uid
// or beyond.
func reaching(set []UIDRange, uid UID) int {
	return sort.Search(len(set), func(i int) bool { return set[i].High >= uid })
}
