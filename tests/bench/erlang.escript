%% SPDX-License-Identifier: MIT
%% What a change of code takes in Erlang, as its release handler does it: suspend the server, load the new code,
%% code_change, resume; until the new code has answered. One JSON object per line, times in microseconds.
%% Usage: escript erlang.escript FOLDER, which is where erlang_state.erl is.
main([Folder]) ->
    Codes = list_to_tuple([compile(Folder, Version) || Version <- [1, 2]]),
    %% A tuple has room for 2^24 - 1 words: a large state is a list of tuples.
    Same = [{"4k", 1, 512, 100}, {"1m", 1, 131072, 100}, {"64m", 1, 8388608, 30}, {"1g", 16, 8388608, 5}],
    [measure(Codes, "erlang.same." ++ Name, [erlang:make_tuple(Words, N) || N <- lists:seq(1, Tuples)], same, Count)
        || {Name, Tuples, Words, Count} <- Same],
    Elements = [{element, N, N} || N <- lists:seq(1, 1000000)],
    measure(Codes, "erlang.migrate", Elements, elements, 30).

compile(Folder, Version) ->
    File = filename:join(Folder, "erlang_state"),
    {ok, erlang_state, Code} = compile:file(File, [binary, {d, 'VERSION', Version}]),
    Code.

measure(Codes, Name, State, How, Count) ->
    load(element(1, Codes)),
    {ok, Server} = gen_server:start(erlang_state, State, [{timeout, infinity}]),
    Samples = lists:sort([change(Server, element(2 - N rem 2, Codes), 2 - N rem 2, How) || N <- lists:seq(2, Count + 1)]),
    gen_server:stop(Server, normal, infinity),
    io:format("{\"name\":\"~s\",\"p50\":~w,\"p99\":~w,\"max\":~w,\"n\":~w}~n",
        [Name, nth(Samples, 0.5), nth(Samples, 0.99), lists:last(Samples), Count]).

nth(Samples, Share) -> lists:nth(min(length(Samples), trunc(length(Samples) * Share) + 1), Samples).

load(Code) ->
    code:purge(erlang_state),
    {module, erlang_state} = code:load_binary(erlang_state, "erlang_state.erl", Code).

change(Server, Code, Version, How) ->
    code:purge(erlang_state),
    Begin = erlang:monotonic_time(nanosecond),
    ok = sys:suspend(Server, infinity),
    {module, erlang_state} = code:load_binary(erlang_state, "erlang_state.erl", Code),
    ok = sys:change_code(Server, erlang_state, undefined, How, infinity),
    ok = sys:resume(Server, infinity),
    Version = gen_server:call(Server, version, infinity),
    (erlang:monotonic_time(nanosecond) - Begin) / 1000.
