package wire

// A MultiSearch is the arguments of ESEARCH (RFC 7377). Its Search is always
// extended. Without Sources it is about the selected mailbox.
type MultiSearch struct {
	Sources []SearchSource
	Search
}

// A SearchSource is some mailboxes to search.
type SearchSource struct {
	Filter    NotifyFilter
	Mailboxes []string // of FilterSubtree, FilterSubtreeOne and FilterMailboxes
}

// maxSources bounds the sources of one search.
const maxSources = 20

// MultiSearch reads the arguments of ESEARCH.
func (d *Decoder) MultiSearch() MultiSearch {
	var m MultiSearch
	if d.nextWord("IN") {
		d.SP()
		d.List(func() {
			if m.Sources = append(m.Sources, d.searchSource()); len(m.Sources) > maxSources {
				d.setErr(&LimitError{What: "sources of a search", Max: maxSources})
			}
		})
		if len(m.Sources) == 0 {
			d.fail("the mailboxes of a search")
		}
		d.SP()
	}
	m.Search = d.Search()
	if !m.Extended {
		m.Extended, m.Return = true, ReturnAll // RFC 7377, 2.1
	}
	if d.err != nil {
		return MultiSearch{}
	}
	return m
}

func (d *Decoder) searchSource() SearchSource {
	at := d.pos
	f, ok := d.filter()
	if !ok || f == FilterSelectedDelayed {
		d.failAt(at, "the mailboxes of a search")
	}
	return SearchSource{Filter: f, Mailboxes: d.filterMailboxes(f)}
}

// MultiSearch writes the arguments of ESEARCH.
func (e *Encoder) MultiSearch(m *MultiSearch) {
	if len(m.Sources) > 0 {
		e.Word("IN")
		e.Open()
		for i := range m.Sources {
			e.filter(m.Sources[i].Filter, m.Sources[i].Mailboxes)
		}
		e.Close()
	}
	e.Search(&m.Search)
}
