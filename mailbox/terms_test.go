package mailbox

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// testBoxes are the mailboxes of an account with one for each role.
func testBoxes() []Mailbox {
	return []Mailbox{
		{ID: Inbox}, {ID: 2, Use: UseSent}, {ID: 3, Use: UseTrash}, {ID: 4, Use: UseJunk},
		{ID: 5, Use: UseDrafts}, {ID: 6, Use: UseArchive}, {ID: 7}, {ID: 8, Use: UseRestante, Size: ownRoom},
	}
}

func TestTermsDue(t *testing.T) {
	t.Parallel()
	terms := DefaultTerms()
	terms.Trash, terms.Junk = 5, 0
	const small, large = 1000, 200 << 10
	for _, c := range []struct {
		name  string
		mbox  MailboxID
		size  int64
		flags Flags
		want  Day
	}{
		{"INBOX", Inbox, small, 0, 120},
		{"Sent", 2, small, Seen, 120},
		{"Trash has its own term", 3, small, 0, 105},
		{"Junk is kept for ever", 4, small, 0, 0},
		{"Drafts", 5, small, 0, 0},
		{"Archive", 6, large, 0, 0},
		{"a mailbox users made", 7, large, 0, 0},
		{"the devices' mailbox", 8, large, 0, 0},
		{"large mail", Inbox, large, 0, 107},
		{"nearly large mail", Inbox, large - 1, 0, 120},
		{"large mail whose mailbox has a shorter term", 3, large, 0, 105},
		{"large mail where mail is kept", 4, large, 0, 0},
		{"flagged", Inbox, small, Flagged, 0},
		{"flagged and large", Inbox, large, Flagged | Seen, 0},
		{"marked as deleted", Inbox, small, Deleted, 120},
	} {
		box := testBoxes()[c.mbox-1]
		// It came to the account long before it came to this mailbox.
		got := terms.due(&Aged{Mailbox: c.mbox, Size: c.size, Flags: c.flags, Day: 50, Saved: 100}, &box)
		if got != c.want {
			t.Errorf("%s: got day %d, want %d", c.name, got, c.want)
		}
	}
}

// TestTermsOfOwners: of the owner's term and the relay's, the shorter one holds.
func TestTermsOfOwners(t *testing.T) {
	t.Parallel()
	terms := DefaultTerms()
	for _, c := range []struct {
		name string
		box  Mailbox
		size int64
		want Day
	}{
		{"shorter", Mailbox{ID: Inbox, Days: 3}, 1000, 103},
		{"longer", Mailbox{ID: Inbox, Days: 30}, 1000, 120},
		{"where the relay keeps mail", Mailbox{ID: 9, Days: 300}, 1000, 400},
		{"large mail there", Mailbox{ID: 9, Days: 300}, 1 << 20, 400},
		{"large mail in INBOX", Mailbox{ID: Inbox, Days: 9}, 1 << 20, 107},
		{"the devices' mailbox", Mailbox{ID: 9, Use: UseRestante, Days: 3}, 1000, 0},
	} {
		if got := terms.due(&Aged{Mailbox: c.box.ID, Size: c.size, Saved: 100}, &c.box); got != c.want {
			t.Errorf("%s: got day %d, want %d", c.name, got, c.want)
		}
	}
}

func TestOverdue(t *testing.T) {
	t.Parallel()
	h := newHolding(Account{}, testBoxes(), []Aged{
		{Mailbox: Inbox, UID: 9, Saved: 80}, {Mailbox: Inbox, UID: 1, Saved: 79}, {Mailbox: Inbox, UID: 2, Saved: 80},
		{Mailbox: Inbox, UID: 3, Saved: 81}, {Mailbox: Inbox, UID: 4, Saved: 1, Flags: Flagged}, {Mailbox: 7, UID: 1, Saved: 1},
		{Mailbox: 2, UID: 5, Saved: 1}, {Mailbox: 99, UID: 5, Saved: 1},
	})
	want := []doomed{{Inbox, []UIDRange{{1, 2}, {9, 9}}, Flagged}, {2, []UIDRange{{5, 5}}, Flagged}}
	if diff := cmp.Diff(want, h.overdue(DefaultTerms(), 100), cmp.AllowUnexported(doomed{})); diff != "" {
		t.Errorf("on day 100 (-want +got):\n%s", diff)
	}
}

func TestCrowded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		used, quota Quota
		percent     int
		want        bool
	}{
		{Quota{75, 0}, Quota{100, 0}, 75, false},
		{Quota{76, 0}, Quota{100, 0}, 75, true},
		{Quota{0, 8}, Quota{0, 10}, 75, true},
		{Quota{0, 7}, Quota{0, 10}, 75, false},
		{Quota{1 << 40, 1 << 40}, Quota{}, 75, false}, // no quota
		{Quota{100, 100}, Quota{100, 100}, 0, false},  // never
		{Quota{1 << 61, 0}, Quota{1 << 62, 0}, 75, false},
		{Quota{1<<62 - 1, 0}, Quota{1 << 62, 0}, 75, true}, // no overflow
	} {
		if got := (&Account{Used: c.used, Quota: c.quota}).crowded(c.percent); got != c.want {
			t.Errorf("%v of %v at %d %%: got %v", c.used, c.quota, c.percent, got)
		}
	}
}

// TestCrowdedOut: the oldest go first; what owners keep, and flagged mail, only when
// nothing else is left; what belongs to their devices never.
func TestCrowdedOut(t *testing.T) {
	t.Parallel()
	mail := []Aged{
		{Mailbox: Inbox, UID: 1, Day: 30, Size: 10}, {Mailbox: Inbox, UID: 2, Day: 10, Size: 10},
		{Mailbox: 3, UID: 1, Day: 20, Size: 10}, {Mailbox: 7, UID: 1, Day: 1, Size: 10},
		{Mailbox: Inbox, UID: 3, Day: 1, Size: 10, Flags: Flagged}, {Mailbox: 7, UID: 2, Day: 2, Size: 10, Flags: Flagged},
		{Mailbox: 8, UID: 1, Day: 1, Size: 10},
	}
	first := []doomed{{Inbox, []UIDRange{{2, 2}}, Flagged}}
	for _, c := range []struct {
		name  string
		quota int64
		want  []doomed
	}{
		{"room enough", 94, nil},
		{"the oldest", 90, first},
		{"the two oldest", 72, append(slices.Clone(first), doomed{3, []UIDRange{{1, 1}}, Flagged})},
		{"then what its owner keeps", 44, []doomed{{Inbox, []UIDRange{{1, 2}}, Flagged}, {3, []UIDRange{{1, 1}}, Flagged}, {7, []UIDRange{{1, 1}}, Flagged}}},
		{"then what is flagged", 30, []doomed{{Inbox, []UIDRange{{1, 2}}, Flagged}, {3, []UIDRange{{1, 1}}, Flagged},
			{7, []UIDRange{{1, 1}}, Flagged}, {Inbox, []UIDRange{{3, 3}}, 0}}},
		{"all but the devices'", 1, []doomed{{Inbox, []UIDRange{{1, 2}}, Flagged}, {3, []UIDRange{{1, 1}}, Flagged},
			{7, []UIDRange{{1, 1}}, Flagged}, {Inbox, []UIDRange{{3, 3}}, 0}, {7, []UIDRange{{2, 2}}, 0}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHolding(Account{Quota: Quota{Bytes: c.quota}, Used: Quota{70, 7}}, testBoxes(), mail)
			if diff := cmp.Diff(c.want, h.crowdedOut(DefaultTerms()), cmp.AllowUnexported(doomed{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestOwnMailboxGrownTooLarge: devices may keep a little for ever, not all their mail.
func TestOwnMailboxGrownTooLarge(t *testing.T) {
	t.Parallel()
	box := Mailbox{ID: 8, Use: UseRestante, Size: ownRoom + 1}
	if got := DefaultTerms().turnOf(&Aged{Mailbox: 8}, &box); got != goesSecond {
		t.Errorf("got turn %d, want that of any mailbox of users'", got)
	}
}

// TestCrowdedOutIsEnough: after what goes there is room, and not a message more than
// needed goes.
func TestCrowdedOutIsEnough(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 200 {
		var mail []Aged
		a := Account{Quota: Quota{Bytes: 1000, Messages: int64(r.IntN(40))}}
		size := map[string]int64{}
		for i := range 1 + r.IntN(60) {
			m := Aged{Mailbox: MailboxID(1 + r.IntN(7)), UID: UID(i + 1), Day: Day(r.IntN(30)), Size: int64(r.IntN(60)), Flags: Flags(r.IntN(32))}
			mail = append(mail, m)
			size[fmt.Sprint(m.Mailbox, m.UID)] = m.Size
			a.Used.Bytes += m.Size
			a.Used.Messages++
		}
		left := a
		var last int64
		gone := newHolding(a, testBoxes(), mail).crowdedOut(DefaultTerms())
		for _, d := range gone {
			for _, u := range d.set {
				for uid := u.Low; uid <= u.High; uid++ {
					last = size[fmt.Sprint(d.mbox, uid)]
					left.Used.Bytes -= last
					left.Used.Messages--
				}
			}
		}
		if a.crowded(75) && left.crowded(70) || !a.crowded(75) && gone != nil {
			t.Fatalf("round %d: of %v used, %v are left, of %v", round, a.Used, left.Used, a.Quota)
		}
		if left.Used.Bytes < 0 || left.Used.Messages < 0 {
			t.Fatalf("round %d: something went twice", round)
		}
	}
}

func TestOutlook(t *testing.T) {
	t.Parallel()
	h := newHolding(Account{Seen: 500, Quota: Quota{Messages: 4}, Used: Quota{Messages: 4}}, testBoxes(), []Aged{
		{Mailbox: Inbox, UID: 1, Saved: 100}, {Mailbox: Inbox, UID: 2, Saved: 90}, {Mailbox: 2, UID: 1, Saved: 90}, {Mailbox: 7, UID: 1, Saved: 1},
	})
	if got, want := h.outlook(DefaultTerms()), (Outlook{Mail: 110, Messages: 2, Crowded: true, Account: 590}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := h.outlook(Terms{}); got != (Outlook{}) {
		t.Errorf("without terms: got %+v", got)
	}
}

func TestTermsString(t *testing.T) {
	t.Parallel()
	const want = "inbox=20 sent=20 trash=20 junk=20 large=7 large-size=204800 quota-high=75 quota-low=70 idle=90 kept=400"
	if got := DefaultTerms().String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := (Terms{Inbox: 3}).String(); got != "inbox=3" {
		t.Errorf("got %q", got)
	}
}

func TestAlert(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		seen, day Day
		idle      int
		want      bool
	}{
		{100, 175, 90, false}, {100, 176, 90, true}, {100, 189, 90, true}, {100, 200, 90, true}, {100, 176, 0, false}, {0, 20000, 90, false},
	} {
		got := Terms{Idle: c.idle}.alert(&Account{Seen: c.seen}, c.day)
		if (got != "") != c.want {
			t.Errorf("seen on %d, now %d, term %d: got %q", c.seen, c.day, c.idle, got)
		}
	}
}

func TestReminded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		before, left Day
		want         bool
	}{{16, 15, false}, {15, 14, true}, {14, 13, false}, {20, 10, true}, {4, 3, true}, {3, 2, false}, {30, 1, true}, {14, 4, false}, {90, 89, false}} {
		if got := reminded(c.before, c.left); got != c.want {
			t.Errorf("from %d days to %d: got %v", c.before, c.left, got)
		}
	}
}

// TestCalendar: a leap of the clock counts only after it has kept to it for a day.
func TestCalendar(t *testing.T) {
	t.Parallel()
	c := &calendar{}
	hours := func(clock Day, n int, want Day) {
		t.Helper()
		for range n {
			c.look(clock)
		}
		if got := c.today(clock); got != want {
			t.Errorf("after %d hours of day %d it is day %d, want %d", n, clock, got, want)
		}
	}
	hours(20000, 1, 20000)  // a new store believes what it is told
	hours(20003, 1, 20003)  // a weekend
	hours(25000, 24, 20003) // the machine thinks it is 2038
	hours(20004, 1, 20004)  // the network sets it right
	hours(0, 24, 20004)     // the battery is dead
	hours(20005, 1, 20005)  //
	hours(20030, 24, 20005) // the relay was off for weeks
	hours(20030, 1, 20030)  // and believes it then
	hours(20020, 25, 20020) // as it does if it was wrong before
	hours(20000, 20, 20020) // a wait
	hours(20021, 1, 20021)  // that was for nothing
	hours(20000, 5, 20021)  // begins from nothing
	hours(20000, 20, 20000) //
}
