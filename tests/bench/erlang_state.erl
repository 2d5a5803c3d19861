%% SPDX-License-Identifier: MIT
%% A server whose state is a list of tuples of so many words, or a list of so many elements. Compiled with another VERSION each
%% time: code_change leaves the words as they are, and makes each element anew where the shape changes.
-module(erlang_state).
-behaviour(gen_server).
-export([init/1, handle_call/3, handle_cast/2, code_change/3]).

init(State) -> {ok, State}.

handle_call(version, _From, State) -> {reply, ?VERSION, State}.

handle_cast(_Message, State) -> {noreply, State}.

code_change(_From, State, same) -> {ok, State};
code_change(_From, State, elements) -> {ok, [change(Element) || Element <- State]}.

change({element, Id, Value}) -> {element, Id, Value, ?VERSION};
change({element, Id, Value, _}) -> {element, Id, Value}.
