package wire

import (
	"time"

	"github.com/emersion/go-imap/v2"
)

// A SearchOp is what a SearchKey tests.
type SearchOp uint8

const (
	SearchAll      SearchOp = iota // every message
	SearchAnd                      // all of Keys
	SearchOr                       // either of the two Keys
	SearchNot                      // not the one of Keys
	SearchSeq                      // the sequence number is in Set, which may be "$"
	SearchUID                      // the UID is in Set, which may be "$"
	SearchFlag                     // Flag is set
	SearchUnflag                   // Flag is not set
	SearchHeader                   // the header field Field contains Text; BCC, CC, FROM, SUBJECT and TO too
	SearchBody                     // the body contains Text
	SearchText                     // header or body contains Text
	SearchLarger                   // the size is above Number
	SearchSmaller                  // the size is below Number
	SearchOlder                    // the internal date is at least Number seconds ago (RFC 5032)
	SearchYounger                  // the internal date is at most Number seconds ago (RFC 5032)
	SearchModSeq                   // the mod-sequence is at least Number; Field and Text name the entry
	SearchEmailID                  // the EMAILID is Text (RFC 8474)
	SearchThreadID                 // the THREADID is Text (RFC 8474)

	SearchBefore     // the internal date is before Date
	SearchOn         // … on Date
	SearchSince      // … on or after Date
	SearchSentBefore // the Date header field, as the three above
	SearchSentOn
	SearchSentSince
	SearchSavedBefore // the save date (RFC 8514), as the three above
	SearchSavedOn
	SearchSavedSince
	SearchSaveDateSupported // the mailbox has save dates
)

// A SearchKey is one condition of a SEARCH; which of the fields count, Op says.
// The program as a whole is a SearchAnd, unless it is one key.
type SearchKey struct {
	Op     SearchOp
	Set    Set
	Flag   imap.Flag
	Field  string
	Text   string
	Number int64
	Date   time.Time
	Keys   []SearchKey
}

// A searchArg is what follows the word of a key.
type searchArg uint8

const (
	argNone searchArg = iota
	argText
	argField // a field name and a text
	argDate
	argNumber
	argNz
	argKeyword
	argUIDs
	argModSeq
	argObject
	argKey
	argTwoKeys
)

// searchWord is what a word of SEARCH stands for.
type searchWord struct {
	op    SearchOp
	arg   searchArg
	flag  imap.Flag
	field string
}

// searchWords holds every search key that starts with a word (RFC 9051, 6.4.4).
// NEW stands for two conditions and is made by searchNew.
var searchWords = map[string]searchWord{
	"ALL":        {op: SearchAll},
	"ANSWERED":   {op: SearchFlag, flag: imap.FlagAnswered},
	"DELETED":    {op: SearchFlag, flag: imap.FlagDeleted},
	"DRAFT":      {op: SearchFlag, flag: imap.FlagDraft},
	"FLAGGED":    {op: SearchFlag, flag: imap.FlagFlagged},
	"RECENT":     {op: SearchFlag, flag: FlagRecent},
	"SEEN":       {op: SearchFlag, flag: imap.FlagSeen},
	"UNANSWERED": {op: SearchUnflag, flag: imap.FlagAnswered},
	"UNDELETED":  {op: SearchUnflag, flag: imap.FlagDeleted},
	"UNDRAFT":    {op: SearchUnflag, flag: imap.FlagDraft},
	"UNFLAGGED":  {op: SearchUnflag, flag: imap.FlagFlagged},
	"OLD":        {op: SearchUnflag, flag: FlagRecent},
	"UNSEEN":     {op: SearchUnflag, flag: imap.FlagSeen},
	"NEW":        {op: SearchAnd},
	"KEYWORD":    {op: SearchFlag, arg: argKeyword},
	"UNKEYWORD":  {op: SearchUnflag, arg: argKeyword},

	"BCC":     {op: SearchHeader, arg: argText, field: "BCC"},
	"CC":      {op: SearchHeader, arg: argText, field: "CC"},
	"FROM":    {op: SearchHeader, arg: argText, field: "FROM"},
	"SUBJECT": {op: SearchHeader, arg: argText, field: "SUBJECT"},
	"TO":      {op: SearchHeader, arg: argText, field: "TO"},
	"HEADER":  {op: SearchHeader, arg: argField},
	"BODY":    {op: SearchBody, arg: argText},
	"TEXT":    {op: SearchText, arg: argText},

	"BEFORE":            {op: SearchBefore, arg: argDate},
	"ON":                {op: SearchOn, arg: argDate},
	"SINCE":             {op: SearchSince, arg: argDate},
	"SENTBEFORE":        {op: SearchSentBefore, arg: argDate},
	"SENTON":            {op: SearchSentOn, arg: argDate},
	"SENTSINCE":         {op: SearchSentSince, arg: argDate},
	"SAVEDBEFORE":       {op: SearchSavedBefore, arg: argDate},
	"SAVEDON":           {op: SearchSavedOn, arg: argDate},
	"SAVEDSINCE":        {op: SearchSavedSince, arg: argDate},
	"SAVEDATESUPPORTED": {op: SearchSaveDateSupported},

	"LARGER":   {op: SearchLarger, arg: argNumber},
	"SMALLER":  {op: SearchSmaller, arg: argNumber},
	"OLDER":    {op: SearchOlder, arg: argNz},
	"YOUNGER":  {op: SearchYounger, arg: argNz},
	"MODSEQ":   {op: SearchModSeq, arg: argModSeq},
	"EMAILID":  {op: SearchEmailID, arg: argObject},
	"THREADID": {op: SearchThreadID, arg: argObject},
	"UID":      {op: SearchUID, arg: argUIDs},
	"NOT":      {op: SearchNot, arg: argKey},
	"OR":       {op: SearchOr, arg: argTwoKeys},
}

// searchNames holds the word of each operation that has one of its own.
var searchNames = makeSearchNames()

func makeSearchNames() map[SearchOp]string {
	m := make(map[SearchOp]string)
	for word, w := range searchWords {
		if w.flag == "" && w.field == "" && w.op != SearchAnd {
			m[w.op] = word
		}
	}
	return m
}

// searchNew is what NEW stands for.
func searchNew() []SearchKey {
	return []SearchKey{
		{Op: SearchFlag, Flag: FlagRecent},
		{Op: SearchUnflag, Flag: imap.FlagSeen},
	}
}
