// SPDX-License-Identifier: BSD-3-Clause
// The reclamation protocol of sync/epoch.h as a model for Spin: readers that join, come online,
// follow a reference, pass quiescent states, go and leave, or die anywhere on the way; writers that
// take a thing out, retire, wait and spoil it; one who buries the dead. Steps are single accesses
// to memory. A plain store waits in its thread's store buffer until it is drained, as on x86 or
// later, so that a fence that is left out is missed; what is read-modify-write is one step.
//
// What must hold:
//   - no use after reuse: a thing is not spoiled while a reader refers to it (asserted where it is
//     spoiled and where it is used), so no joiner is missed, and no number that was given on
//   - reclamation goes on: every thing that was retired is spoiled in the end, whoever died on the
//     way (ltl reclaimed, under weak fairness)
//
// Each MUTANT, by number, leaves out or misplaces one thing, and must fail: epoch_model runs them.

#ifndef READERS
#define READERS 2 // processes
#endif
#ifndef NUMBERS
#define NUMBERS 2 // that they can join under
#endif
#ifndef WRITERS
#define WRITERS 1
#endif
#ifndef ROUNDS
#define ROUNDS 2 // things each writer takes out
#endif
#ifndef MUTANT
#define MUTANT 0
#endif

#define NO_FENCE_ONLINE 1 // the store of seen may be late
#define NO_FENCE_RETIRE 2 // the store that takes out may be late
#define RETIRE_FIRST 3    // the token is had before the thing is out
#define ONE_READER 4      // the others are not looked at
#define AHEAD 5           // a quiescent state says more than it saw
#define JOINED_LATE 6     // counted after it went online
#define TOKEN_OLD 7       // the wait is for the token before
#define HOLDS_ON 8        // a reader uses what it had before its quiescent state
#define LEAVES_EARLY 9    // the number is given back before the reader is offline
#define BURIED_ALIVE 10   // by a deadline alone
#define NEVER_BURIED 11   // no thing is spoiled any more
#define ONLINE_LATE 12    // reads the structure, then goes online

#define NOTHING 255

byte now = 1;
byte joined = 0;
byte seen[NUMBERS];
bool taken[NUMBERS];

// The structure: each writer has two things, one of them in it.
byte current[WRITERS];
bool spoiled[2 * WRITERS];

// Store buffers, of one store each: a second store waits until the first is drained.
bool seen_late[READERS], current_late[WRITERS];
byte seen_value[READERS], seen_number[READERS], current_value[WRITERS];

// What the model alone knows.
byte holds[READERS];   // the thing a reader refers to
byte number[READERS];  // that it joined under
bool dead[READERS];
byte reclaimers_done = 0;

#define drained(r) !seen_late[r]

// Waits in the store buffer; the thread goes on.
inline store_seen(value) {
	atomic {
		drained(me);
		seen_late[me] = true;
		seen_number[me] = number[me];
		seen_value[me] = value;
		load = 0
	}
}

// One compare-and-swap after the other, until a number is ours.
inline join() {
	do
	:: atomic { !taken[id] -> taken[id] = true; number[me] = id; id = 0; break }
	:: atomic { taken[id] -> id = (id + 1) % NUMBERS }
	od
}

// A compare-and-swap that is tried until the mark is high enough.
inline count_joined() {
	d_step { joined = (joined <= number[me] -> number[me] + 1 : joined) }
}

inline online() {
	load = now;
	store_seen(load);
	MUTANT == NO_FENCE_ONLINE || drained(me)
}

inline quiescent() {
	d_step {
		holds[me] = (MUTANT == HOLDS_ON -> holds[me] : NOTHING);
		load = now + (MUTANT == AHEAD -> 1 : 0)
	}
	store_seen(load)
}

// One reference between two quiescent states; it may be used at any time until then.
inline follow() {
	if
	:: atomic { holds[me] == NOTHING -> holds[me] = current[0] }
#if WRITERS > 1
	:: atomic { holds[me] == NOTHING -> holds[me] = 2 + current[1] }
#endif
	:: atomic { holds[me] != NOTHING -> skip }
	fi
}

inline leave() {
	if
	:: atomic { MUTANT == LEAVES_EARLY -> holds[me] = NOTHING; taken[number[me]] = false };
		store_seen(0)
	:: atomic { MUTANT != LEAVES_EARLY -> holds[me] = NOTHING };
		store_seen(0);
		// stores are drained in order
		atomic { drained(me); taken[number[me]] = false; number[me] = NOTHING }
	fi
}

proctype reader(byte me) {
	byte id, load;

	do
	:: join();
#if MUTANT == ONLINE_LATE
		follow();
#endif
#if MUTANT != JOINED_LATE
		count_joined();
#endif
		online();
		do
		:: follow();
			if
			:: assert(!spoiled[holds[me]])
			// a thread that has ended has no store under way any more
			:: atomic { drained(me); dead[me] = true; goto ended }
			fi;
			if
			:: quiescent()
			:: break
			fi
		od;
#if MUTANT == JOINED_LATE
		count_joined();
#endif
		leave()
	od;
ended:
	skip
}

proctype writer(byte me) {
	byte round, token, old, id, limit;

	do
	:: atomic {
		round < ROUNDS ->
#if MUTANT == RETIRE_FIRST
		now++;
		token = now
	   };
	   atomic {
#endif
		old = current[me];
		current_late[me] = true;
		current_value[me] = 1 - old
	   };
		atomic {
			MUTANT == NO_FENCE_RETIRE || !current_late[me];
#if MUTANT != RETIRE_FIRST
			now++;
			token = now - (MUTANT == TOKEN_OLD -> 1 : 0)
#endif
		};
again:
		atomic { limit = (MUTANT == ONE_READER -> 1 : joined); id = 0 };
		do
		:: atomic {
			id < limit ->
			if
			:: seen[id] != 0 && seen[id] < token -> goto again
			:: else -> id++
			fi
		   }
		:: atomic { id == limit -> break }
		od;
		atomic {
			spoiled[2 * me + old] = true;
			for (id : 0 .. READERS - 1) {
				assert(dead[id] || MUTANT == HOLDS_ON || holds[id] != 2 * me + old)
			}
			id = 0;
			limit = 0;
			token = 0
		};
		// it comes back as another thing
		atomic { !current_late[me]; spoiled[2 * me + old] = false; old = 0; round++ }
	:: atomic { round == ROUNDS -> break }
	od;
	reclaimers_done++
}

// Who alone knows that this reader's thread has ended.
proctype undertaker(byte r) {
	byte n;

end:
	atomic {
		(dead[r] && MUTANT != NEVER_BURIED) ||
			(MUTANT == BURIED_ALIVE && holds[r] != NOTHING);
		n = number[r]
	};
	seen[n] = 0;
	taken[n] = false
}

// Drain the store buffers, each whenever it likes.
proctype reader_memory(byte r) {
end:
	do
	:: d_step { seen_late[r] -> seen[seen_number[r]] = seen_value[r]; seen_late[r] = false }
	od
}

proctype writer_memory(byte w) {
end:
	do
	:: d_step { current_late[w] -> current[w] = current_value[w]; current_late[w] = false }
	od
}

init {
	byte i;

	atomic {
		for (i : 0 .. READERS - 1) {
			holds[i] = NOTHING;
			number[i] = NOTHING;
			run reader(i);
			run reader_memory(i);
			run undertaker(i)
		}
		for (i : 0 .. WRITERS - 1) {
			run writer(i);
			run writer_memory(i)
		}
	}
}

ltl reclaimed { <> (reclaimers_done == WRITERS) }
